"""Reads the projection while it is written: short queries over one connection, the same for each database."""

import sqlite3
from collections.abc import Collection
from typing import Any

import psycopg

NOT_YET = (sqlite3.OperationalError, psycopg.errors.UndefinedTable)


class Projection:
    """Empty while its tables do not exist yet."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None

    @property
    def has_position(self) -> bool:
        return self._number("SELECT count(*) FROM positions") > 0

    @property
    def has_begun(self) -> bool:
        return self._number("SELECT count(*) FROM status_counts") > 0

    @property
    def events(self) -> int:
        return self._number("SELECT count(*) FROM history")

    @property
    def completed(self) -> int:
        return self._number("SELECT sum(submissions) FROM status_counts WHERE status = 'completed'")

    def with_content(self, ids: Collection[str]) -> set[str]:
        """Those of these that have their card."""
        return {
            id_ for (id_,) in self._query(f"SELECT id FROM contents WHERE id IN ({', '.join('?' * len(ids))})", ids)
        }

    def _number(self, query: str) -> int:
        return next((int(number or 0) for (number,) in self._query(query)), 0)

    def _query(self, query: str, values: Collection[str] = ()) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None:
                self._connection = self._connected()
            if self._url.startswith("postgresql:"):
                query = query.replace("?", "%s")
            return list(self._connection.execute(query, list(values)).fetchall())
        except NOT_YET:
            return []

    def _connected(self) -> Any:
        if self._url.startswith("postgresql:"):
            return psycopg.connect(self._url, autocommit=True)
        return sqlite3.connect(f"file:{self._url.removeprefix('sqlite:///')}?mode=ro", uri=True)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
