"""Statements over sets of rows, which go to the driver as they are: row by row to SQLite, by the column to PostgreSQL.

SQLAlchemy's own handling of 30 columns took longer than the statement itself: 250 of 500 µs a topic
(docs/decisions/0004). PostgreSQL takes many sets in one round trip, each as one array for each column.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, Connection, Table, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from shared.db.array_params import array_param
from shared.db.tables import LongText, UtcTime, stored

Rows = Sequence[tuple[Any, ...]]  # all columns of a table, in its order; JSON as text


class Prepared:
    """What is done with rows of a table."""

    def __init__(self, table: Table, by_row: str, by_set: str) -> None:
        """`by_set`: with `{rows}` where the set of rows stands, as a table."""
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        columns = (
            f"{'%b' if isinstance(column.type, LongText) else '%s'}::{column.type.compile(dialect=dialect)}[]"
            for column in table.c
        )
        self._by_row = by_row
        self.by_set = by_set.format(rows=f"unnest({', '.join(columns)})")
        self._are_moments = [isinstance(column.type, UtcTime) for column in table.c]
        self._to_array = [_to_array_of(column.type) for column in table.c]

    def execute(self, connection: Connection, rows: Rows) -> int:
        """How many rows it changed. Nothing happens without rows."""
        if not rows:
            return 0
        if connection.dialect.name == "postgresql":
            return connection.exec_driver_sql(self.by_set, tuple(self.arrays(rows))).rowcount
        return connection.exec_driver_sql(self._by_row, list(zip(*self._columns(rows), strict=True))).rowcount

    def arrays(self, rows: Rows) -> list[str | list[str]]:
        return [to_array(values) for to_array, values in zip(self._to_array, self._columns(rows), strict=True)]

    def _columns(self, rows: Rows) -> list[Sequence[Any]]:
        columns = zip(zip(*rows, strict=True), self._are_moments, strict=True)
        return [[stored(value) for value in values] if are_moments else values for values, are_moments in columns]


class Writes:
    """What a transaction writes when it has read everything and holds its locks. No two sets are about the same row."""

    def __init__(self) -> None:
        self._sets: list[tuple[Prepared, Rows]] = []

    def add(self, prepared: Prepared, rows: Rows) -> None:
        if rows:
            self._sets.append((prepared, rows))

    def execute(self, connection: Connection) -> None:
        if connection.dialect.name != "postgresql":
            for prepared, rows in self._sets:
                prepared.execute(connection, rows)
        elif self._sets:
            statement = _as_one(tuple(prepared for prepared, _ in self._sets))
            arrays = (array_param for prepared, rows in self._sets for array_param in prepared.arrays(rows))
            connection.exec_driver_sql(statement, tuple(arrays)).close()


@lru_cache
def _as_one(sets: tuple[Prepared, ...]) -> str:
    parts = (f"set_{n} AS ({prepared.by_set})" for n, prepared in enumerate(sets))
    return f"WITH {', '.join(parts)} SELECT"


def _to_array_of(type_: TypeEngine[Any]) -> Callable[[Sequence[Any]], str | list[str]]:
    """A literal, or what psycopg makes one of: that takes 2 µs a value, however long it is."""
    if isinstance(type_, LongText):
        return list
    return array_param if isinstance(type_, Text | UtcTime | JSON) else _numbers


def _numbers(values: Sequence[object]) -> str:
    return f"{{{','.join(map(str, values))}}}".replace("None", "NULL")


def inserting(table: Table, on_conflict: str = "") -> Prepared:
    """`on_conflict`: what SQL says about rows that are there; without it none may be."""
    names = [column.name for column in table.c]
    into = f"INSERT INTO {table.name} ({', '.join(names)})"
    by_row = f"{into} VALUES ({', '.join('?' for _ in names)}) {on_conflict}"
    return Prepared(table, by_row, f"{into} SELECT * FROM {{rows}} {on_conflict}")  # noqa: S608  # our own names


def deleting(table: Table) -> Prepared:
    """Rows that are the same in every column."""
    names = [column.name for column in table.c]
    by_row = " AND ".join(f"{name} = ?" for name in names)
    gone = " AND ".join(f"{table.name}.{name} = gone.{name}" for name in names)
    return Prepared(
        table,
        f"DELETE FROM {table.name} WHERE {by_row}",  # noqa: S608
        f"DELETE FROM {table.name} USING {{rows}} AS gone ({', '.join(names)}) WHERE {gone}",  # noqa: S608
    )
