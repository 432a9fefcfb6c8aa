"""What is in the simulator's catalogue: what it began with, what was written over that, in which order."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from simulators.catalog.articles import SAME_IN_ALL, empty, exists, invented, made_article, made_urn

Fields = Mapping[str, Any]


class ArticleStore:
    """The one that was written last is listed first. Memory holds what was written; `path` keeps it over a restart."""

    def __init__(self, made: int = 0, path: Path | None = None) -> None:
        self._invented = invented()
        self._file = None if path is None else _File(path)
        kept = self._file.read() if self._file else []
        self._begin(made)
        for urn, fields in kept:
            self._put(urn, fields)

    def begin(self, made: int) -> None:
        """Forgets what was written, and has so many made articles behind the invented ones."""
        if self._file:
            self._file.clear()
        self._begin(made)

    def _begin(self, made: int) -> None:
        self.made = made
        self.written: dict[str, dict[str, Any]] = {}
        first = [*self._invented, *map(made_urn, range(made))]
        self._order = dict.fromkeys(reversed(first))  # the last one is listed first

    def __contains__(self, urn: str) -> bool:
        return urn in self._order

    def urns(self) -> Iterator[str]:
        return reversed(self._order)

    def page(self, offset: int, limit: int) -> list[str]:
        return list(islice(self.urns(), offset, offset + limit))

    def read(self, urn: str) -> dict[str, Any]:
        return self._first(urn) | self.written.get(urn, {})

    def value(self, urn: str, field: str) -> Any:
        """Of a made article only what is its own is made."""
        written = self.written.get(urn)
        if written and field in written:
            return written[field]
        return SAME_IN_ALL[field] if field in SAME_IN_ALL and exists(urn) else self._first(urn).get(field)

    def _first(self, urn: str) -> dict[str, Any]:
        return self._invented.get(urn) or (made_article(urn) if exists(urn) else empty(urn))

    def write(self, urn: str, fields: Fields) -> dict[str, Any]:
        """Over the fields that it has; adds the article where there is none. From now on it is listed first."""
        now = datetime.now(UTC).isoformat()
        self._put(urn, {**self.written.get(urn, {}), **fields, "updated_at": now})
        if self._file:
            self._file.write(urn, self.written[urn])
        return self.read(urn)

    def _put(self, urn: str, fields: dict[str, Any]) -> None:
        self.written[urn] = fields
        self._order.pop(urn, None)
        self._order[urn] = None

    def remove(self, urn: str) -> None:
        """One that it began with is there again after a restart."""
        self._order.pop(urn, None)
        self.written.pop(urn, None)
        if self._file:
            self._file.remove(urn)


def merged(old: Fields | None, new: Fields) -> dict[str, Any]:
    """Objects within objects are merged too; null stays as null."""
    result = dict(old or {})
    for key, value in new.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(value, dict) and isinstance(before, dict) else value
    return result


class _File:
    """SQLite; each write is there when it returns, unless the machine loses power."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS written (urn TEXT PRIMARY KEY, fields TEXT NOT NULL)")

    def read(self) -> list[tuple[str, dict[str, Any]]]:
        """In the order in which they were written last: a replaced row gets a new number."""
        rows = self._db.execute("SELECT urn, fields FROM written ORDER BY rowid")
        return [(urn, json.loads(fields)) for urn, fields in rows]

    def write(self, urn: str, fields: Fields) -> None:
        self._db.execute("REPLACE INTO written VALUES (?, ?)", (urn, json.dumps(fields)))

    def remove(self, urn: str) -> None:
        self._db.execute("DELETE FROM written WHERE urn = ?", (urn,))

    def clear(self) -> None:
        self._db.execute("DELETE FROM written")
