"""A database from the outside, by its URL: what its tables hold, and what somebody else does to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from shared.db import tables
from shared.db.tables import stored

Rows = list[tuple[Any, ...]]
SUBMISSIONS = ", ".join(column.name for column in tables.submissions.c if column.name != "partition")


def sqlite_in(folder: Path) -> str:
    """The URL of a database in that folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder}/topicflow.db"


def rows(url: str, query: str) -> Rows:
    """The same of either database: times are texts, as SQLite has them."""
    with _connected(url) as connection:
        return [tuple(map(_plain, row)) for row in connection.execute(query).fetchall()]


def execute(url: str, statement: str) -> None:
    with _connected(url) as connection:
        connection.execute(statement)


def tables_of(url: str) -> dict[str, Rows]:
    """What events leave behind, whoever projected them in whatever batches: all but positions and partitions."""
    found = {name: rows(url, f"SELECT * FROM {name} ORDER BY 1, 2") for name in ("contents", "history", "usage")}
    found["facets"] = rows(url, "SELECT facet, value, created_at, id FROM facets ORDER BY 1, 2, 3, 4")
    found["submissions"] = rows(url, f"SELECT {SUBMISSIONS} FROM submissions ORDER BY id")
    sums = "sum(submissions) AS n, sum(timed), sum(milliseconds)"
    counts = f"SELECT status, {sums} FROM status_counts GROUP BY status HAVING sum(submissions) != 0 ORDER BY status"
    found["status_counts"] = rows(url, counts)
    of_facet = "SELECT facet, value, sum(submissions) FROM facet_counts GROUP BY facet, value"
    found["facet_counts"] = rows(url, f"{of_facet} HAVING sum(submissions) != 0 ORDER BY facet, value")
    return found


def counted(url: str) -> Rows:
    """What the counts should be."""
    query = "SELECT status, count(*) FROM submissions WHERE status != 'removed' GROUP BY status ORDER BY status"
    return rows(url, query)


def _plain(value: Any) -> Any:
    return stored(value) if isinstance(value, datetime) else value


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    """Committed in the end. A file that is not there is not made."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=rw", uri=True)) as database, database:
            yield database
    else:
        with psycopg.connect(url) as connection:
            yield connection
