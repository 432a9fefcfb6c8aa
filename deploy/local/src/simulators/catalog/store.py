"""The articles of the catalogue simulator: initial ones, changes, and their order."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from simulators.catalog.articles import CONSTANT_FIELDS, empty, exists, invented, made_article, made_urn

Fields = Mapping[str, Any]


class ArticleStore:
    """The article written last is listed first. Changes are kept in memory, and in `path` across restarts."""

    def __init__(self, made: int = 0, path: Path | None = None) -> None:
        self._invented = invented()
        self._file = None if path is None else _File(path)
        stored = self._file.read() if self._file else []
        self._reset(made)
        for urn, fields in stored:
            self._put(urn, fields)

    def reset(self, made: int) -> None:
        """Reverts all changes; `made`: number of generated articles after the fixed ones."""
        if self._file:
            self._file.clear()
        self._reset(made)

    def _reset(self, made: int) -> None:
        self.made = made
        self.written: dict[str, dict[str, Any]] = {}
        initial = [*self._invented, *map(made_urn, range(made))]
        self._order = dict.fromkeys(reversed(initial))  # the last one is listed first

    def __contains__(self, urn: str) -> bool:
        return urn in self._order

    def urns(self) -> Iterator[str]:
        return reversed(self._order)

    def page(self, offset: int, limit: int) -> list[str]:
        return list(islice(self.urns(), offset, offset + limit))

    def read(self, urn: str) -> dict[str, Any]:
        return self._initial(urn) | self.written.get(urn, {})

    def value(self, urn: str, field: str) -> Any:
        """Avoids generating a whole article for fields that are constant."""
        written = self.written.get(urn)
        if written and field in written:
            return written[field]
        return CONSTANT_FIELDS[field] if field in CONSTANT_FIELDS and exists(urn) else self._initial(urn).get(field)

    def _initial(self, urn: str) -> dict[str, Any]:
        return self._invented.get(urn) or (made_article(urn) if exists(urn) else empty(urn))

    def write(self, urn: str, fields: Fields) -> dict[str, Any]:
        """Updates or creates an article, which is then listed first."""
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
        """An initial article is back after a restart."""
        self._order.pop(urn, None)
        self.written.pop(urn, None)
        if self._file:
            self._file.remove(urn)


def merged(old: Fields | None, new: Fields) -> dict[str, Any]:
    """Merges nested objects too; null is kept."""
    result = dict(old or {})
    for key, value in new.items():
        existing = result.get(key)
        result[key] = merged(existing, value) if isinstance(value, dict) and isinstance(existing, dict) else value
    return result


class _File:
    """SQLite; a write that has returned survives a crash of the process, but not a power loss."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS written (urn TEXT PRIMARY KEY, fields TEXT NOT NULL)")

    def read(self) -> list[tuple[str, dict[str, Any]]]:
        """In the order of the last write: a replaced row gets a new rowid."""
        rows = self._db.execute("SELECT urn, fields FROM written ORDER BY rowid")
        return [(urn, json.loads(fields)) for urn, fields in rows]

    def write(self, urn: str, fields: Fields) -> None:
        self._db.execute("REPLACE INTO written VALUES (?, ?)", (urn, json.dumps(fields)))

    def remove(self, urn: str) -> None:
        self._db.execute("DELETE FROM written WHERE urn = ?", (urn,))

    def clear(self) -> None:
        self._db.execute("DELETE FROM written")
