"""Opens the database: a URL without a driver's name in, an async engine out. The lines that know a dialect are here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from shared.errors import TopicflowError

DRIVERS = {"sqlite": "sqlite+aiosqlite"}


class DatabaseUnreachable(TopicflowError): ...


def open_reader(url: str) -> AsyncEngine:
    """Reads only, never waits for the writer."""
    return _open(url, ["PRAGMA query_only=ON", "PRAGMA busy_timeout=5000"])


def open_writer(url: str) -> AsyncEngine:
    """A transaction takes the write lock when it begins, so that it can never fail for it half way."""
    engine = _open(url, ["PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", "PRAGMA busy_timeout=5000"])

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def open_access(url: str) -> AsyncEngine:
    """The API's own tables: a schema of their own, on SQLite a file of their own beside the projection's."""
    parsed = make_url(url)
    path = (parsed.database or "topicflow.db").removesuffix(".db") + "-access.db"
    engine = open_writer(parsed.set(database=path).render_as_string(hide_password=False))
    return engine.execution_options(schema_translate_map={"access": None})


def _open(url: str, pragmas: list[str]) -> AsyncEngine:
    parsed = make_url(url)
    engine = create_async_engine(parsed.set(drivername=DRIVERS[parsed.drivername]))

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # no BEGIN of the driver's own
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    return engine


@contextmanager
def querying() -> Iterator[None]:
    """Raises DatabaseUnreachable where the database is away, locked or has no schema yet."""
    try:
        yield
    except (OperationalError, InterfaceError, OSError) as error:
        cause: Any = getattr(error, "orig", None) or error
        raise DatabaseUnreachable(f"the database does not answer: {str(cause)[:200]}") from error
