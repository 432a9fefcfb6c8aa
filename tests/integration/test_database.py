"""The database: migrations, and errors."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from integration.databases import sqlite_in
from integration.projected import Projected
from sqlalchemy import Connection, MetaData, text

from shared.db import tables
from shared.db.engine import Database, DatabaseUnreachable, open_access, open_reader, open_writer
from shared.db.migrate import migrate
from shared.errors import NewerVersion


@pytest.mark.parametrize(
    ("schema", "opened", "metadata"),
    [("projection", open_writer, tables.projection), ("access", open_access, tables.access)],
)
async def test_the_migrations_create_exactly_the_tables(
    database_url: str, schema: str, opened: Callable[[str], Database], metadata: MetaData
) -> None:
    without_schema = MetaData()  # as SQLite has them, and PostgreSQL on the path that migrations take
    for table in metadata.tables.values():
        table.to_metadata(without_schema, schema=None)  # type: ignore[arg-type] # None means no schema

    def differences(connection: Connection) -> Any:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL search_path TO {schema}, public")
            connection.dialect.default_schema_name = connection.scalar(text("SELECT current_schema()"))
        options = {"include_name": lambda name, kind, _: kind != "table" or not name.endswith("_version")}
        return compare_metadata(MigrationContext.configure(connection, opts=options), without_schema)

    database = opened(database_url)
    await migrate(database, schema)
    assert await database.run(differences) == []
    await database.close()


async def test_a_folder_can_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "somewhere with 100% of a space"
    database = open_writer(sqlite_in(folder))
    await migrate(database, "projection")
    await database.close()
    assert (folder / "topicflow.db").exists()


async def test_repeated_and_concurrent_migrations_are_harmless(database_url: str) -> None:
    """In processes: Alembic's context is one for a whole process."""
    code = f"""
import asyncio
from shared.db.engine import open_access, open_writer
from shared.db.migrate import reach_database
async def main():
    for opened, schema in (open_writer, "projection"), (open_access, "access"):
        database = opened({database_url!r})
        await reach_database(database, schema)
        await reach_database(database, schema)
        await database.close()
asyncio.run(main())
"""
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", code) for _ in range(4)]
    assert [await process.wait() for process in processes] == [0, 0, 0, 0]


async def test_a_database_of_a_newer_topicflow_is_refused_with_a_clear_line(projected: Projected) -> None:
    projected.execute("UPDATE projection_version SET version_num = '9999'")
    with pytest.raises(NewerVersion, match=r"projection tables .*9999.*: finish the upgrade"):
        await migrate(projected.writer(), "projection")


@pytest.mark.parametrize("what", ["no folder", "no tables", "no database"])
async def test_an_unreadable_database_is_unreachable_not_a_bug(tmp_path: Path, what: str) -> None:
    path = tmp_path / "folder" / "topicflow.db"
    if what != "no folder":
        path.parent.mkdir()
    if what == "no database":
        path.write_bytes(b"not a database at all" * 100)
    for database in (open_reader(f"sqlite:///{path}"), open_access(f"sqlite:///{path}")):
        with pytest.raises(DatabaseUnreachable):
            await database.run(lambda connection: connection.exec_driver_sql("SELECT * FROM seen").all())
        await database.close()
