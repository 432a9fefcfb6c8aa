"""The old system's SQLite file: what it knows of each topic, row after row. Opened read-only; used by `topics.py`."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from local_processes.plain_text import one_line
from shared.ids import topic_id
from shared.text.titles import checked_title
from topicflow.errors import WrongUse
from topicflow.migration.old_card import COLUMNS, card
from topicflow.views.times import parse_time

LOCKED_AT_MOST = 5.0  # seconds that somebody else's lock is waited for


@dataclass(frozen=True, slots=True)
class OldTopic:
    """`title`: as it was submitted, where the file still knows that. `content`: None if there is none to keep."""

    title: str
    status: str
    legacy_id: int | None = None
    content: dict[str, Any] | None = None
    created_at: str | None = None
    completed_at: str | None = None


@contextmanager
def opened(path: Path) -> Iterator["OldSystem"]:
    """Raises WrongUse, in the body too, for a file that cannot be read or is not the old system's."""
    if not path.is_file():
        raise WrongUse(f"cannot read {path}: no such file")
    try:
        connection = sqlite3.connect(_address(path), uri=True, timeout=LOCKED_AT_MOST)
        try:
            yield OldSystem(connection, path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        advice = " (stop the old system, or bring over a copy)" if "locked" in str(error) else ""
        raise WrongUse(f"cannot read {path}: {one_line(error)}{advice}") from error


def _address(path: Path) -> str:
    """A file in a folder that cannot be written is immutable to SQLite, unless some of it is in a log beside it."""
    log = path.with_name(path.name + "-wal")
    is_all_there = not (log.exists() and log.stat().st_size)
    immutable = "&immutable=1" if is_all_there and not os.access(path.absolute().parent, os.W_OK) else ""
    return f"{path.absolute().as_uri()}?mode=ro{immutable}"


class OldSystem:
    """Topics and their status are linked by title only, here by what makes two titles the same topic.

    A topic's title was rewritten when its card came. Newer files know what it was before: `original_title`.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        connection.create_function("same", 1, lambda title: topic_id(_text(title)), deterministic=True)
        self._columns = self._columns_of("topics", path, "id", "title", "description")
        status_columns = self._columns_of("topic_status", path, "status")
        self._link(*_titles_in(status_columns, path), "created_at" if "created_at" in status_columns else "NULL")
        counted = "SELECT (SELECT count(*) FROM topics) + (SELECT count(*) FROM alone)"
        self.count: int = connection.execute(counted).fetchone()[0]

    def topics(self) -> Iterator[OldTopic]:
        """First the topics with a row of their own, the oldest first; then what has a status only."""
        columns = ", ".join(f"topics.{name}" for name in COLUMNS if name in self._columns)
        query = f"""
            SELECT topics.id, {columns}, linked.submitted, linked.status, linked.asked_at
            FROM topics LEFT JOIN linked ON linked.same = same(topics.title) ORDER BY topics.id
        """  # noqa: S608 - names of ours
        for row in self._connection.execute(query):
            yield _topic({name: row[name] for name in row.keys()})  # noqa: SIM118 - a Row iterates over its values
        for row in self._connection.execute("SELECT submitted, status, asked_at FROM alone ORDER BY at"):
            yield OldTopic(_text(row["submitted"]), _text(row["status"]), created_at=_time(row["asked_at"]))

    def _columns_of(self, table: str, path: Path, *needed: str) -> set[str]:
        found = {row["name"] for row in self._connection.execute(f"PRAGMA table_info({table})")}
        if missing := [name for name in needed if name not in found]:
            what = f"column {missing[0]} in table {table}" if found else f"table {table}"
            raise WrongUse(f"{path} is not a file of the old system: there is no {what}")
        return found

    def _link(self, submitted: str, current: str, asked_at: str) -> None:
        """What is known by the title now counts more than by the one before, and later rows more than earlier ones."""
        selection = f"SELECT same({{}}), {submitted}, status, {asked_at} FROM topic_status ORDER BY rowid"  # noqa: S608
        self._connection.executescript(f"""
            CREATE TEMP TABLE linked (same PRIMARY KEY, submitted, status, asked_at) WITHOUT ROWID;
            INSERT OR REPLACE INTO linked {selection.format(submitted)};
            INSERT OR REPLACE INTO linked {selection.format(current)};
            CREATE TEMP TABLE named (same PRIMARY KEY) WITHOUT ROWID;
            INSERT OR IGNORE INTO named SELECT same(title) FROM topics;
            CREATE TEMP TABLE alone AS
                SELECT rowid AS at, {submitted} AS submitted, status, {asked_at} AS asked_at FROM topic_status
                WHERE same({submitted}) NOT IN named AND same({current}) NOT IN named;
        """)  # noqa: S608


def _titles_in(columns: set[str], path: Path) -> tuple[str, str]:
    """Where `topic_status` holds a title as it was submitted and as it is now."""
    if {"original_title", "current_title"} <= columns:
        return "original_title", "coalesce(current_title, original_title)"
    for name in ("original_title", "title"):
        if name in columns:
            return name, name
    raise WrongUse(f"{path} is not a file of the old system: there is no column title in table topic_status")


def _topic(row: Mapping[str, Any]) -> OldTopic:
    """Its card is kept unless its status says that there is none yet and nothing is written on it."""
    has_card = row["status"] == "completed" or bool(_text(row["description"]).strip())
    return OldTopic(
        title=_first_usable(_text(row["submitted"]), _text(row["title"])),
        status="completed" if has_card else _text(row["status"]),
        legacy_id=row["id"] if isinstance(row["id"], int) and 0 <= row["id"] < 10**18 else None,
        content=card(row) if has_card else None,
        created_at=_time(row["asked_at"]) or _time(row.get("created_date")),
        completed_at=_time(row.get("generated_at")) or _time(row.get("updated_date")),
    )


def _first_usable(*titles: str) -> str:
    """The last one if none is."""
    for title in titles[:-1]:
        with suppress(ValueError):
            return checked_title(title)
    return titles[-1]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)


def _time(value: object) -> str | None:
    """In UTC; what is no time is not told."""
    time = parse_time(value)
    try:
        return time.astimezone(UTC).isoformat() if time else None
    except OverflowError:
        return None
