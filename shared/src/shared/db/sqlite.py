"""SQLite: one file with a write-ahead log, shared by several processes. Opened by `engine.py`."""

from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

WAIT_FOR_LOCK = "PRAGMA busy_timeout=5000"  # milliseconds
CHECKPOINT_AT = "PRAGMA wal_autocheckpoint=8000"  # pages; at the default of 1000 every large batch waited for one
CACHE = "PRAGMA cache_size=-32000"  # KiB


def reader(url: str, threads: int) -> Engine:
    return _open(url, "BEGIN", ["PRAGMA query_only=ON", WAIT_FOR_LOCK])


def writer(url: str) -> tuple[Engine, int]:
    """A transaction takes the write lock when it begins, so that it cannot fail to get it half-way."""
    pragmas = ["PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", CHECKPOINT_AT, CACHE, WAIT_FOR_LOCK]
    return _open(url, "BEGIN IMMEDIATE", pragmas), 1


def access(url: str) -> tuple[Engine, int]:
    """Returns the engine and the number of threads that may use it: one, as SQLite has one writer."""
    path = str(_file(url, "access"))
    pragmas = ["PRAGMA journal_mode=WAL", WAIT_FOR_LOCK]
    engine = _open(make_url(url).set(database=path).render_as_string(hide_password=False), "BEGIN IMMEDIATE", pragmas)
    return engine.execution_options(schema_translate_map={"access": None}), 1


def exists(url: str, schema: str) -> bool:
    return _file(url, schema).exists()


@contextmanager
def try_lock(url: str) -> Iterator[bool]:
    """Raises OSError."""
    with _file(url, "projection").with_suffix(".lock").open("a") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _file(url: str, schema: str) -> Path:
    database = make_url(url).database or "topicflow.db"
    return Path(database if schema == "projection" else database.removesuffix(".db") + "-access.db")


def _open(url: str, begin: str, pragmas: list[str]) -> Engine:
    engine = create_engine(make_url(url))

    @event.listens_for(engine, "connect")
    def connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver must not issue BEGIN itself
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
