"""Opens the database: a URL in, units of work out. What only one kind of it knows is in `sqlite` and `postgresql`."""

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
READERS = 4  # threads; more only wait for each other's turn in Python
PATIENCE = 12.0  # seconds; what the databases themselves wait for ends before
OF_THE_CALLER = (DataError, IntegrityError, ProgrammingError)
NOT_YET = {"42P01", "42703", "3F000", "42501"}  # SQLSTATE: no such table, column or schema, or no right to it
TOO_LARGE = "54"  # SQLSTATE's class: a value that is too long for an index, and the like


class DatabaseUnreachable(TopicflowError):
    """It is away, locked, damaged, has no schema yet, or somebody else was first: try again later."""


class Database:
    """A unit of work is a plain function, run in a thread: one hop for all its statements.

    An async driver hops for each call of each cursor, some 30 times a batch (docs/decisions/0004).
    """

    def __init__(self, engine: Engine, threads: int, patience: float | None = None) -> None:
        """`patience`: seconds after which nobody waits any more, for a server may freeze; its thread does."""
        self.threads = threads
        self._engine = engine
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="database")
        self._patience = patience

    async def run(self, work: Callable[[Connection], T]) -> T:
        """One transaction, undone if `work` raises. Raises DatabaseUnreachable."""
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
            if is_of_the_data(error) or (isinstance(error, OF_THE_CALLER) and _state(error) not in NOT_YET):
                raise
            cause: Any = error.orig or error
            raise DatabaseUnreachable(f"the database does not answer: {' '.join(str(cause).split())[:200]}") from error

    async def close(self) -> None:
        """After what runs has ended."""
        await asyncio.to_thread(self._executor.shutdown)
        self._engine.dispose()


def open_reader(url: str) -> Database:
    """Reads only, from one snapshot a unit of work, and never waits for the writer."""
    return Database(_kind(url).reader(url, READERS), READERS, PATIENCE)


def open_writer(url: str) -> Database:
    """What the status-projector writes with: few transactions at a time, and none that holds its locks for long."""
    engine, threads = _kind(url).writer(url)
    return Database(engine, threads)


def open_access(url: str) -> Database:
    """The API's own tables: a schema of their own, on SQLite a file of their own beside the projection's."""
    engine, threads = _kind(url).access(url)
    return Database(engine, threads, PATIENCE)


def exists(url: str, schema: str) -> bool:
    """False where opening it would make a file; a server says itself what it has not."""
    return _kind(url).exists(url, schema)


@contextmanager
def alone(url: str) -> Iterator[bool]:
    """Whether nobody else is in here on this database; whoever is leaves with its process at the latest.

    Raises DatabaseUnreachable.
    """
    with ExitStack() as stack:
        try:
            is_alone = stack.enter_context(_kind(url).alone(url))
        except OSError as error:
            raise DatabaseUnreachable(f"the database does not answer: {error}") from error
        yield is_alone


def is_of_the_data(error: Exception) -> bool:
    """Whether the database will never store this, however often it is asked."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError) or _state(error).startswith(TOO_LARGE)
    return isinstance(error, StatementError | OverflowError | UnicodeError)  # while it was made ready for the driver


def _state(error: DBAPIError) -> str:
    """The SQLSTATE; SQLite has none."""
    return getattr(error.orig, "sqlstate", None) or ""


class _Kind(Protocol):
    """What the modules `sqlite` and `postgresql` are."""

    def reader(self, url: str, threads: int) -> Engine: ...
    def writer(self, url: str) -> tuple[Engine, int]: ...
    def access(self, url: str) -> tuple[Engine, int]: ...
    def exists(self, url: str, schema: str) -> bool: ...
    def alone(self, url: str) -> AbstractContextManager[bool]: ...


def _kind(url: str) -> _Kind:
    if url.startswith("sqlite:"):
        return sqlite
    from shared.db import postgresql  # its driver takes 0.1 s and 9 MB, which local mode does without

    return postgresql
