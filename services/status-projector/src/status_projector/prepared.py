"""A statement that is compiled once and whose rows go to the driver as they are.

SQLAlchemy's own handling of 30 columns took longer than the statement itself: 250 of 500 µs a topic
(docs/decisions/0004).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler


class Prepared:
    """`columns`: what each row has, in this order."""

    def __init__(self, statement: ClauseElement, columns: Sequence[str]) -> None:
        self._statement = statement
        self._columns = columns
        self._sql: str | None = None

    def execute(self, connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        """Times are in the form of `tables.stored`. Nothing happens without rows."""
        if many := list(rows):
            connection.exec_driver_sql(self._sql or self._compiled(connection), many)

    def _compiled(self, connection: Connection) -> str:
        compiled = self._statement.compile(dialect=connection.dialect)
        assert isinstance(compiled, SQLCompiler)
        assert compiled.positiontup == list(self._columns)
        self._sql = str(compiled)
        return self._sql
