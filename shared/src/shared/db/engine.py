"""Opens a database by URL and runs units of work in it. `sqlite` and `postgresql` hold what differs."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, StatementError

from shared.db import sqlite
from shared.errors import TopicflowError

T = TypeVar("T")
READERS = 4  # threads; more would only wait for the GIL
PATIENCE = 12.0  # seconds; longer than the timeouts of the databases themselves
CALLER_ERRORS = (DataError, IntegrityError, ProgrammingError)
NOT_MIGRATED = {"42P01", "42703", "3F000", "42501"}  # SQLSTATE: table, column or schema missing or not permitted
TOO_LARGE = "54"  # SQLSTATE class: a limit is exceeded, such as the length of an indexed value


class DatabaseUnreachable(TopicflowError):
    """The database is unreachable, locked, damaged or not migrated yet, or another process was first: retry later."""


class Database:
    """Runs units of work, which are plain functions, in threads: one thread switch for all statements.

    An async driver switches for each call of each cursor, some 30 times per batch (docs/decisions/0004).
    """

    def __init__(self, engine: Engine, threads: int, patience: float | None = None) -> None:
        """`patience`: seconds until `run` gives up on a server that may be frozen; its thread keeps waiting."""
        self.threads = threads
        self._engine = engine
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="database")
        self._patience = patience

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in one transaction, rolled back if it raises. Raises DatabaseUnreachable."""
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, work)
        except TimeoutError as error:
            raise DatabaseUnreachable(f"the database does not answer within {self._patience} s") from error

    def _run(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if is_data_error(error) or (isinstance(error, CALLER_ERRORS) and _state(error) not in NOT_MIGRATED):
                raise
            cause: Any = error.orig or error
            raise DatabaseUnreachable(f"the database does not answer: {' '.join(str(cause).split())[:200]}") from error

    async def close(self) -> None:
        """Waits for running work first."""
        await asyncio.to_thread(self._executor.shutdown)
        self._engine.dispose()


def open_reader(url: str) -> Database:
    """Read-only: each unit of work sees one snapshot and never waits for the writer."""
    return Database(_backend(url).reader(url, READERS), READERS, PATIENCE)


def open_writer(url: str) -> Database:
    """For the status-projector: few concurrent transactions, none of which holds its locks for long."""
    engine, threads = _backend(url).writer(url)
    return Database(engine, threads)


def open_access(url: str) -> Database:
    """The API's own tables: a schema of their own; on SQLite, a file of its own beside the projection's."""
    engine, threads = _backend(url).access(url)
    return Database(engine, threads, PATIENCE)


def exists(url: str, schema: str) -> bool:
    """False if opening it would create a file. Always true of a server, which reports itself what is missing."""
    return _backend(url).exists(url, schema)


@contextmanager
def try_lock(url: str) -> Iterator[bool]:
    """Tries to lock this database for provisioning; yields False if another process holds the lock.

    The lock ends with its process at the latest. Raises DatabaseUnreachable.
    """
    with ExitStack() as stack:
        try:
            acquired = stack.enter_context(_backend(url).try_lock(url))
        except OSError as error:
            raise DatabaseUnreachable(f"the database does not answer: {error}") from error
        yield acquired


def is_data_error(error: Exception) -> bool:
    """Whether the database would refuse this data on every retry."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError) or _state(error).startswith(TOO_LARGE)
    return isinstance(error, StatementError | OverflowError | UnicodeError)  # while preparing the parameters


def _state(error: DBAPIError) -> str:
    """The SQLSTATE; "" for SQLite, which has none."""
    return getattr(error.orig, "sqlstate", None) or ""


class _Backend(Protocol):
    """The interface of the modules `sqlite` and `postgresql`."""

    def reader(self, url: str, threads: int) -> Engine: ...
    def writer(self, url: str) -> tuple[Engine, int]: ...
    def access(self, url: str) -> tuple[Engine, int]: ...
    def exists(self, url: str, schema: str) -> bool: ...
    def try_lock(self, url: str) -> AbstractContextManager[bool]: ...


def _backend(url: str) -> _Backend:
    if url.startswith("sqlite:"):
        return sqlite
    from shared.db import postgresql  # its driver takes 0.1 s and 9 MB, which local mode saves

    return postgresql
