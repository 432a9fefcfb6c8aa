"""Brings a schema to its newest version with Alembic: `projection` by the status-projector, `access` by the API."""

import asyncio
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.engine import DatabaseUnreachable, querying
from shared.retry import Policy, pause

log = structlog.get_logger()
SCRIPTS = Path(__file__).parent / "migrations"


async def reach_database(engine: AsyncEngine, schema: str) -> None:
    """Wait until the database answers and has the newest schema."""
    failures = 0
    while True:
        try:
            with querying():
                await migrate(engine, schema)
        except DatabaseUnreachable as error:
            failures += 1
            if failures == 1:
                log.warning("waiting for the database", error=str(error))
            await asyncio.sleep(pause(failures, Policy(longest_pause=2.0)))
        else:
            return


async def migrate(engine: AsyncEngine, schema: str) -> None:
    """Safe to repeat and to run twice at a time."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade, schema)


async def is_current(engine: AsyncEngine, schema: str) -> bool:
    async with engine.connect() as connection:
        return await connection.run_sync(_is_current, schema)


def _upgrade(connection: Connection, schema: str) -> None:
    config = _config(schema)
    config.attributes["connection"] = connection
    config.attributes["version_table"] = _version_table(schema)
    command.upgrade(config, "head")


def _is_current(connection: Connection, schema: str) -> bool:
    context = MigrationContext.configure(connection, opts={"version_table": _version_table(schema)})
    return context.get_current_revision() == ScriptDirectory.from_config(_config(schema)).get_current_head()


def _config(schema: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", str(SCRIPTS / schema))
    return config


def _version_table(schema: str) -> str:
    return f"{schema}_version"
