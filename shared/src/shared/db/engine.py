"""Opens the database: a URL without a driver's name in, units of work out. The lines that know a dialect are here."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.pool import ConnectionPoolEntry

from shared.errors import TopicflowError

T = TypeVar("T")
WAIT_FOR_LOCK = "PRAGMA busy_timeout=5000"  # milliseconds
CHECKPOINT_AT = "PRAGMA wal_autocheckpoint=8000"  # pages; at the default of 1000 each large batch waited for one
CACHE = "PRAGMA cache_size=-32000"  # KiB

OF_THE_CALLER = (DataError, IntegrityError, ProgrammingError)


class DatabaseUnreachable(TopicflowError):
    """It is away, locked, damaged or has no schema yet."""


class Database:
    """A unit of work is a plain function, run in a thread: one hop for all its statements.

    An async driver hops for each call of each cursor, some 30 times a batch (docs/decisions/0004).
    """

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="database")

    async def run(self, work: Callable[[Connection], T]) -> T:
        """One transaction, undone if `work` raises. Raises DatabaseUnreachable."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)

    def _run(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if isinstance(error, OF_THE_CALLER):
                raise
            cause: Any = error.orig or error
            raise DatabaseUnreachable(f"the database does not answer: {str(cause)[:200]}") from error

    async def close(self) -> None:
        """After what runs has ended."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()


def open_reader(url: str) -> Database:
    """Reads only, from one snapshot a unit of work, and never waits for the writer."""
    return Database(_open(url, "BEGIN", ["PRAGMA query_only=ON", WAIT_FOR_LOCK]), threads=4)


def open_writer(url: str) -> Database:
    """A transaction takes the write lock when it begins, so that it can never fail for it half way."""
    pragmas = ["PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", CHECKPOINT_AT, CACHE, WAIT_FOR_LOCK]
    return Database(_open(url, "BEGIN IMMEDIATE", pragmas), threads=1)


def open_access(url: str) -> Database:
    """The API's own tables: a schema of their own, on SQLite a file of their own beside the projection's."""
    parsed = make_url(url)
    path = (parsed.database or "topicflow.db").removesuffix(".db") + "-access.db"
    pragmas = ["PRAGMA journal_mode=WAL", WAIT_FOR_LOCK]
    engine = _open(parsed.set(database=path).render_as_string(hide_password=False), "BEGIN IMMEDIATE", pragmas)
    return Database(engine.execution_options(schema_translate_map={"access": None}), threads=1)


def _open(url: str, begin: str, pragmas: list[str]) -> Engine:
    engine = create_engine(make_url(url))

    @event.listens_for(engine, "connect")
    def connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # no BEGIN of the driver's own
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
