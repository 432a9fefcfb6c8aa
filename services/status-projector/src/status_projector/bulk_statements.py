"""Statements over sets of rows, passed straight to the driver: row by row to SQLite, column by column to PostgreSQL.

SQLAlchemy's own handling of 30 columns took longer than the statement itself: 250 of 500 µs per topic
(docs/decisions/0004). PostgreSQL takes many sets in one round trip, each as one array per column.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, Connection, Table, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from shared.db.array_params import array_param
from shared.db.tables import LongText, UtcTime, utc_text

Rows = Sequence[tuple[Any, ...]]  # all columns of a table, in its order; JSON as text


class BulkStatement:
    """One SQL statement for many rows of a table."""

    def __init__(self, table: Table, row_sql: str, set_sql: str) -> None:
        """`row_sql`: for one row. `set_sql`: for a set of rows, which replaces `{rows}` as a table."""
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        columns = (
            f"{'%b' if isinstance(column.type, LongText) else '%s'}::{column.type.compile(dialect=dialect)}[]"
            for column in table.c
        )
        self._row_sql = row_sql
        self.set_sql = set_sql.format(rows=f"unnest({', '.join(columns)})")
        self._are_times = [isinstance(column.type, UtcTime) for column in table.c]
        self._to_array = [_array_encoder(column.type) for column in table.c]

    def execute(self, connection: Connection, rows: Rows) -> int:
        """Returns the number of changed rows. Does nothing without rows."""
        if not rows:
            return 0
        if connection.dialect.name == "postgresql":
            return connection.exec_driver_sql(self.set_sql, tuple(self.arrays(rows))).rowcount
        return connection.exec_driver_sql(self._row_sql, list(zip(*self._columns(rows), strict=True))).rowcount

    def arrays(self, rows: Rows) -> list[str | list[str]]:
        return [to_array(values) for to_array, values in zip(self._to_array, self._columns(rows), strict=True)]

    def _columns(self, rows: Rows) -> list[Sequence[Any]]:
        columns = zip(zip(*rows, strict=True), self._are_times, strict=True)
        return [[utc_text(value) for value in values] if are_times else values for values, are_times in columns]


class Writes:
    """Writes of a transaction, executed after it has read everything and holds its locks. No row is in two sets."""

    def __init__(self) -> None:
        self._sets: list[tuple[BulkStatement, Rows]] = []

    def add(self, statement: BulkStatement, rows: Rows) -> None:
        if rows:
            self._sets.append((statement, rows))

    def execute(self, connection: Connection) -> None:
        if connection.dialect.name != "postgresql":
            for statement, rows in self._sets:
                statement.execute(connection, rows)
        elif self._sets:
            combined = _combine(tuple(statement for statement, _ in self._sets))
            arrays = (array for statement, rows in self._sets for array in statement.arrays(rows))
            connection.exec_driver_sql(combined, tuple(arrays)).close()


@lru_cache
def _combine(statements: tuple[BulkStatement, ...]) -> str:
    parts = (f"set_{n} AS ({statement.set_sql})" for n, statement in enumerate(statements))
    return f"WITH {', '.join(parts)} SELECT"


def _array_encoder(type_: TypeEngine[Any]) -> Callable[[Sequence[Any]], str | list[str]]:
    """Returns array literals. Long text is left to psycopg, which takes 2 µs per value, whatever its length."""
    if isinstance(type_, LongText):
        return list
    return array_param if isinstance(type_, Text | UtcTime | JSON) else _numbers


def _numbers(values: Sequence[object]) -> str:
    return f"{{{','.join(map(str, values))}}}".replace("None", "NULL")


def inserting(table: Table, on_conflict: str = "") -> BulkStatement:
    """`on_conflict`: the SQL clause for rows that exist. Without it, none of the rows may exist."""
    names = [column.name for column in table.c]
    into = f"INSERT INTO {table.name} ({', '.join(names)})"
    row_sql = f"{into} VALUES ({', '.join('?' for _ in names)}) {on_conflict}"
    return BulkStatement(table, row_sql, f"{into} SELECT * FROM {{rows}} {on_conflict}")  # noqa: S608  # our own names


def deleting(table: Table) -> BulkStatement:
    """Deletes rows that are equal in every column."""
    names = [column.name for column in table.c]
    equal = " AND ".join(f"{name} = ?" for name in names)
    gone = " AND ".join(f"{table.name}.{name} = gone.{name}" for name in names)
    return BulkStatement(
        table,
        f"DELETE FROM {table.name} WHERE {equal}",  # noqa: S608
        f"DELETE FROM {table.name} USING {{rows}} AS gone ({', '.join(names)}) WHERE {gone}",  # noqa: S608
    )
