"""A database by its URL, without the product: its rows, and a lock on it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from shared.db import tables
from shared.db.tables import utc_text

Rows = list[tuple[Any, ...]]
NOT_MIGRATED = (sqlite3.OperationalError, psycopg.OperationalError, psycopg.errors.UndefinedTable)  # or not there
SUMS = ("sixtieths", "unpriced_sixtieths", "tokens_in", "tokens_out", "tokens_cached", "tokens_thought", "nano_dollars")
USAGE_TOTALS = f"""
    SELECT day, kind, model, simulated, wasted, {", ".join(f"sum({name})" for name in SUMS)} FROM usage_totals
    GROUP BY 1, 2, 3, 4, 5 HAVING sum(sixtieths) != 0 ORDER BY 1, 2, 3, 4, 5
"""
OF_BATCHES = {"partition", "changed_in", "changed"}
SUBMISSIONS = ", ".join(column.name for column in tables.submissions.c if column.name not in OF_BATCHES)


def sqlite_in(folder: Path) -> str:
    """The URL of a database in that folder, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder}/topicflow.db"


def rows(url: str, query: str, schema: str = "projection") -> Rows:
    """The same of either database: times are texts, as SQLite has them."""
    with _connected(url, schema) as connection:
        return [tuple(map(_plain, row)) for row in connection.execute(query).fetchall()]


def execute(url: str, statement: str, schema: str = "projection") -> None:
    with _connected(url, schema) as connection:
        connection.execute(statement)


def tables_of(url: str) -> dict[str, Rows]:
    """The tables that depend only on the events, not on batches and projectors: all except positions and partitions."""
    found = {name: rows(url, f"SELECT * FROM {name} ORDER BY 1, 2") for name in ("contents", "history", "usage")}
    found["facets"] = rows(url, "SELECT facet, value, created_at, id FROM facets ORDER BY 1, 2, 3, 4")
    found["submissions"] = rows(url, f"SELECT {SUBMISSIONS} FROM submissions ORDER BY id")
    sums = "sum(submissions) AS n, sum(timed), sum(milliseconds)"
    counts = f"SELECT status, {sums} FROM status_counts GROUP BY status HAVING sum(submissions) != 0 ORDER BY status"
    found["status_counts"] = rows(url, counts)
    of_facet = "SELECT facet, value, sum(submissions) FROM facet_counts GROUP BY facet, value"
    found["usage_totals"] = rows(url, USAGE_TOTALS)
    found["facet_counts"] = rows(url, f"{of_facet} HAVING sum(submissions) != 0 ORDER BY facet, value")
    return found


def counted(url: str) -> Rows:
    """The expected counts."""
    query = "SELECT status, count(*) FROM submissions WHERE status != 'removed' GROUP BY status ORDER BY status"
    return rows(url, query)


def _plain(value: Any) -> Any:
    return utc_text(value) if isinstance(value, datetime) else value


@contextmanager
def locked(url: str, schema: str = "projection") -> Iterator[None]:
    """Another connection holds a lock: all writers wait, in `access` all readers too."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(_file(url, schema), uri=True, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(url) as other:
            if schema == "access":
                other.execute("LOCK TABLE access.api_keys, access.idempotency_keys IN ACCESS EXCLUSIVE MODE")
            else:
                other.execute("LOCK TABLE positions IN EXCLUSIVE MODE")  # the first table that every batch writes
            yield
            other.rollback()


@contextmanager
def created_later(url: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """The URL of a database that does not exist yet, and a function that creates it, empty."""
    if url.startswith("sqlite:"):
        folder = Path(url.removeprefix("sqlite:///")).parent / "later"
        yield f"sqlite:///{folder}/topicflow.db", folder.mkdir
    else:
        name = f"{urlsplit(url).path.removeprefix('/')}_later"
        with psycopg.connect(url, autocommit=True) as connection:

            def create() -> None:
                connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))

            yield urlsplit(url)._replace(path=f"/{name}").geturl(), create
            connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


def _file(url: str, schema: str) -> str:
    """Opens only existing files."""
    path = url.removeprefix("sqlite:///")
    return f"file:{path.removesuffix('.db') + '-access.db' if schema == 'access' else path}?mode=rw"


@contextmanager
def _connected(url: str, schema: str = "projection") -> Iterator[Any]:
    """Commits at the end."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(_file(url, schema), uri=True)) as database, database:
            yield database
    else:
        with psycopg.connect(url) as connection:
            if schema == "access":
                connection.execute("SET search_path TO access")
            yield connection
