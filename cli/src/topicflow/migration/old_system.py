"""Reads topics from the old system's SQLite file, opened read-only. Used by `topics.py`."""

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

LOCK_TIMEOUT = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class OldTopic:
    """`title`: as submitted, if the file still has it. `content`: the card, if there is one to keep."""

    title: str
    status: str
    legacy_id: int | None = None
    content: dict[str, Any] | None = None
    created_at: str | None = None
    completed_at: str | None = None


@contextmanager
def open_old_system(path: Path) -> Iterator["OldSystem"]:
    """Raises WrongUse, in the body too, if the file cannot be read or is not the old system's."""
    if not path.is_file():
        raise WrongUse(f"cannot read {path}: no such file")
    try:
        connection = sqlite3.connect(_uri(path), uri=True, timeout=LOCK_TIMEOUT)
        try:
            yield OldSystem(connection, path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        advice = " (stop the old system, or import a copy)" if "locked" in str(error) else ""
        raise WrongUse(f"cannot read {path}: {one_line(error)}{advice}") from error


def _uri(path: Path) -> str:
    """SQLite needs `immutable` to read a file in a read-only folder; with a non-empty write-ahead log it would miss
    data."""
    log = path.with_name(path.name + "-wal")
    is_complete = not (log.exists() and log.stat().st_size)
    immutable = "&immutable=1" if is_complete and not os.access(path.absolute().parent, os.W_OK) else ""
    return f"{path.absolute().as_uri()}?mode=ro{immutable}"


class OldSystem:
    """The old tables link topics to their status by title only; here they are linked by the id derived from the title.

    The model rewrote the title when the card was generated. Newer files keep the submitted one in `original_title`.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        connection.create_function("topic_key", 1, lambda title: topic_id(_text(title)), deterministic=True)
        self._columns = self._columns_of("topics", path, "id", "title", "description")
        status_columns = self._columns_of("topic_status", path, "status")
        self._link(*_title_columns(status_columns, path), "created_at" if "created_at" in status_columns else "NULL")
        query = "SELECT (SELECT count(*) FROM topics) + (SELECT count(*) FROM status_only)"
        self.count: int = connection.execute(query).fetchone()[0]

    def topics(self) -> Iterator[OldTopic]:
        """First the rows of `topics`, by id; then submissions that have a status only."""
        columns = ", ".join(f"topics.{name}" for name in COLUMNS if name in self._columns)
        query = f"""
            SELECT topics.id, {columns}, linked.submitted, linked.status, linked.requested_at
            FROM topics LEFT JOIN linked ON linked.topic_key = topic_key(topics.title) ORDER BY topics.id
        """  # noqa: S608 - constant names
        for row in self._connection.execute(query):
            yield _topic({name: row[name] for name in row.keys()})  # noqa: SIM118 - a Row iterates over its values
        for row in self._connection.execute(
            "SELECT submitted, status, requested_at FROM status_only ORDER BY position"
        ):
            yield OldTopic(_text(row["submitted"]), _text(row["status"]), created_at=_time(row["requested_at"]))

    def _columns_of(self, table: str, path: Path, *needed: str) -> set[str]:
        columns = {row["name"] for row in self._connection.execute(f"PRAGMA table_info({table})")}
        if missing := [name for name in needed if name not in columns]:
            what = f"column {missing[0]} in table {table}" if columns else f"table {table}"
            raise WrongUse(f"{path} is not a file of the old system: there is no {what}")
        return columns

    def _link(self, submitted: str, current: str, requested_at: str) -> None:
        """Joins statuses to topics. The current title takes precedence over the submitted one, later rows over earlier
        ones."""
        selection = f"SELECT topic_key({{}}), {submitted}, status, {requested_at} FROM topic_status ORDER BY rowid"  # noqa: S608
        self._connection.executescript(f"""
            CREATE TEMP TABLE linked (topic_key PRIMARY KEY, submitted, status, requested_at) WITHOUT ROWID;
            INSERT OR REPLACE INTO linked {selection.format(submitted)};
            INSERT OR REPLACE INTO linked {selection.format(current)};
            CREATE TEMP TABLE existing (topic_key PRIMARY KEY) WITHOUT ROWID;
            INSERT OR IGNORE INTO existing SELECT topic_key(title) FROM topics;
            CREATE TEMP TABLE status_only AS
                SELECT rowid AS position, {submitted} AS submitted, status, {requested_at} AS requested_at
                FROM topic_status
                WHERE topic_key({submitted}) NOT IN existing AND topic_key({current}) NOT IN existing;
        """)  # noqa: S608


def _title_columns(columns: set[str], path: Path) -> tuple[str, str]:
    """SQL for the title in `topic_status` as submitted and as it is now. Raises WrongUse."""
    if {"original_title", "current_title"} <= columns:
        return "original_title", "coalesce(current_title, original_title)"
    for name in ("original_title", "title"):
        if name in columns:
            return name, name
    raise WrongUse(f"{path} is not a file of the old system: there is no column title in table topic_status")


def _topic(row: Mapping[str, Any]) -> OldTopic:
    """A card counts as present if the status is completed or it has a description."""
    has_card = row["status"] == "completed" or bool(_text(row["description"]).strip())
    return OldTopic(
        title=_first_usable(_text(row["submitted"]), _text(row["title"])),
        status="completed" if has_card else _text(row["status"]),
        legacy_id=row["id"] if isinstance(row["id"], int) and 0 <= row["id"] < 10**18 else None,
        content=card(row) if has_card else None,
        created_at=_time(row["requested_at"]) or _time(row.get("created_date")),
        completed_at=_time(row.get("generated_at")) or _time(row.get("updated_date")),
    )


def _first_usable(*titles: str) -> str:
    """The first valid title, otherwise the last one."""
    for title in titles[:-1]:
        with suppress(ValueError):
            return checked_title(title)
    return titles[-1]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)


def _time(value: object) -> str | None:
    """In UTC, as ISO 8601; None if it is not a time."""
    time = parse_time(value)
    try:
        return time.astimezone(UTC).isoformat() if time else None
    except OverflowError:
        return None
