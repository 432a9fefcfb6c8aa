"""Statements over sets of rows, which go to the driver as they are: row by row to SQLite, by the column to PostgreSQL.

SQLAlchemy's own handling of 30 columns took longer than the statement itself: 250 of 500 µs a topic
(docs/decisions/0004). PostgreSQL takes a whole set in one round trip, as one array for each column.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table, Text
from sqlalchemy.dialects import postgresql

from shared.db.tables import Moment
from shared.db.texts import array


class Prepared:
    """Rows have all columns of the table, in its order; times are in the form of `tables.stored`."""

    def __init__(self, table: Table, by_row: str, by_set: str) -> None:
        """`by_set`: with `{rows}` where the set of rows stands, as a table."""
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        types = (column.type.compile(dialect=dialect) for column in table.c)
        self._by_row = by_row
        self._by_set = by_set.format(rows=f"unnest({', '.join(f'%s::{type_}[]' for type_ in types)})")
        self._are_texts = [isinstance(column.type, Text | Moment) for column in table.c]

    def execute(self, connection: Connection, rows: Iterable[tuple[Any, ...]]) -> int:
        """How many rows it changed. Nothing happens without rows."""
        many = list(rows)
        if not many:
            return 0
        if connection.dialect.name == "postgresql":
            return connection.exec_driver_sql(self._by_set, self._columns(many)).rowcount
        return connection.exec_driver_sql(self._by_row, many).rowcount

    def _columns(self, rows: list[tuple[Any, ...]]) -> tuple[str, ...]:
        columns = zip(*rows, strict=True)
        return tuple(
            array(values) if are_texts else f"{{{','.join(map(str, values))}}}".replace("None", "NULL")
            for values, are_texts in zip(columns, self._are_texts, strict=True)
        )


def inserting(table: Table, on_conflict: str) -> Prepared:
    """`on_conflict`: what SQL says after these words."""
    names = [column.name for column in table.c]
    into, conflict = f"INSERT INTO {table.name} ({', '.join(names)})", f"ON CONFLICT {on_conflict}"
    by_row = f"{into} VALUES ({', '.join('?' for _ in names)}) {conflict}"
    return Prepared(table, by_row, f"{into} SELECT * FROM {{rows}} {conflict}")  # noqa: S608  # our own names


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
