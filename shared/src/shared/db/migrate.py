"""Migrates a schema with Alembic: the status-projector migrates `projection`, the API migrates `access`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from shared.db.engine import Database, DatabaseUnreachable
from shared.errors import NewerVersion
from shared.resilience.backoff import until_it_answers

SCRIPTS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x746F706963666C6F  # id of an advisory lock: "topicflo"


async def reach_database(database: Database, schema: str) -> None:
    """Waits until the database is reachable, and migrates it. Raises NewerVersion."""
    await until_it_answers("database", lambda: migrate(database, schema), DatabaseUnreachable)


async def migrate(database: Database, schema: str) -> None:
    """Safe to repeat and to run concurrently. Raises NewerVersion if a newer topicflow has migrated it."""
    with _newer_version_error(schema):
        await database.run(lambda connection: _upgrade(connection, schema))


def newest_revision(schema: str) -> str:
    return ScriptDirectory.from_config(_config(schema)).get_current_head() or ""


async def revision(database: Database, schema: str) -> str | None:
    """Returns the current revision, None without tables; changes nothing. Raises NewerVersion."""
    with _newer_version_error(schema):
        current = await database.run(lambda connection: _revision(connection, schema))
        ScriptDirectory.from_config(_config(schema)).get_revision(current or "base")
    return current


def _revision(connection: Connection, schema: str) -> str | None:
    options = {"version_table": _version_table(schema)}
    if connection.dialect.name == "postgresql" and schema == "access":
        options["version_table_schema"] = "access"
    return MigrationContext.configure(connection, opts=options).get_current_revision()


@contextmanager
def _newer_version_error(schema: str) -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise NewerVersion(
            f"the database's {schema} tables belong to another version of topicflow ({error}): finish the upgrade,"
            " or start with an empty database"
        ) from error


def _upgrade(connection: Connection, schema: str) -> None:
    if connection.dialect.name == "postgresql":
        _lock(connection, schema)
    config = _config(schema)
    config.attributes["connection"] = connection
    config.attributes["version_table"] = _version_table(schema)
    command.upgrade(config, "head")


def _lock(connection: Connection, schema: str) -> None:
    """Until the transaction ends. Also enters the schema `access`, which a role with more rights may have created."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    if schema == "access":
        if connection.scalar(text("SELECT to_regnamespace('access')")) is None:
            connection.exec_driver_sql("CREATE SCHEMA access")
        connection.exec_driver_sql("SET LOCAL search_path TO access")


def _config(schema: str) -> Config:
    config = Config()
    scripts = str(SCRIPTS).replace("%", "%%")  # escaped for an INI file
    config.set_main_option("script_location", scripts)
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", f"{scripts}/{schema}")
    return config


def _version_table(schema: str) -> str:
    return f"{schema}_version"
