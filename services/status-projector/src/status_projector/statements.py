"""The projection's statements, each for a whole set of rows, run in the transaction of whoever calls.

Built once: for a small batch, building them took longer than running them.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Table, bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import Insert, insert

from shared.db import tables
from shared.transport.base import Positions
from status_projector.status_counts import NewContent, State

ROWS_A_QUERY = 500
Rows = Sequence[dict[str, Any]]


def _replacing(table: Table) -> Insert:
    statement = insert(table)
    kept = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=table.primary_key, set_=kept)


def _adding(table: Table) -> Insert:
    """Rows that are there already stay as they are."""
    return insert(table).on_conflict_do_nothing()


def _moving_counts() -> Insert:
    table = tables.status_counts
    statement = insert(table)
    moved = {"submissions": table.c.submissions + statement.excluded.submissions}
    return statement.on_conflict_do_update(index_elements=table.primary_key, set_=moved)


_AT = tables.positions.c
_OF: BindParameter[int] = bindparam("of")
_BEFORE: BindParameter[int] = bindparam("before")
_GET_POSITION = select(_AT.version, _AT.positions, _AT.as_of).where(_AT.partition == _OF)
_FIRST_POSITION = _adding(tables.positions)
_MOVE_POSITION = update(tables.positions).where(_AT.partition == _OF, _AT.version == _BEFORE)
_IDS: BindParameter[Sequence[str]] = bindparam("ids", expanding=True)
_COLUMNS = [field.name for field in fields(State)]
_GET_STATES = select(*(tables.submissions.c[name] for name in _COLUMNS)).where(tables.submissions.c.id.in_(_IDS))
_PUT_STATES = _replacing(tables.submissions)
_PUT_CONTENTS = _replacing(tables.contents)
_DROP_CONTENTS = delete(tables.contents).where(tables.contents.c.id.in_(_IDS))
_MOVE_COUNTS = _moving_counts()
_ADD_HISTORY = _adding(tables.history)
_ADD_USAGE = _adding(tables.usage)
_ADD_DEAD_LETTERS = _adding(tables.dead_letters)


def get_position(connection: Connection, partition: int) -> tuple[int, Positions, datetime | None] | None:
    """(version, positions, as_of)"""
    found = connection.execute(_GET_POSITION, {"of": partition}).one_or_none()
    return found and (found.version, found.positions, found.as_of)


def move_position(
    connection: Connection, partition: int, version: int, positions: Positions, as_of: datetime | None
) -> bool:
    """False if it is not at the version before this one."""
    row = {"version": version, "positions": positions, "as_of": as_of}
    if version == 1:
        return connection.execute(_FIRST_POSITION, row | {"partition": partition}).rowcount == 1
    return connection.execute(_MOVE_POSITION, row | {"of": partition, "before": version - 1}).rowcount == 1


def get_states(connection: Connection, ids: set[str]) -> dict[str, State]:
    wanted = sorted(ids)
    found: dict[str, State] = {}
    for at in range(0, len(wanted), ROWS_A_QUERY):
        for row in connection.execute(_GET_STATES, {"ids": wanted[at : at + ROWS_A_QUERY]}):
            found[row[0]] = State(*row)
    return found


def put_states(connection: Connection, states: Iterable[State]) -> None:
    _execute(connection, _PUT_STATES, [{name: getattr(state, name) for name in _COLUMNS} for state in states])


def put_contents(connection: Connection, contents: Mapping[str, NewContent]) -> None:
    kept = {id_: new.content for id_, new in contents.items() if new.content is not None}
    rows = [{"id": id_, "content": json.dumps(content, ensure_ascii=False)} for id_, content in kept.items()]
    _execute(connection, _PUT_CONTENTS, rows)
    if gone := sorted(contents.keys() - kept.keys()):
        connection.execute(_DROP_CONTENTS, {"ids": gone})


def move_counts(connection: Connection, counts: Counter[tuple[str, int, str]]) -> None:
    moved = [
        {"kind": kind, "partition": partition, "status": status, "submissions": delta}
        for (kind, partition, status), delta in counts.items()
        if delta
    ]
    _execute(connection, _MOVE_COUNTS, moved)


def add_history(connection: Connection, rows: Rows) -> None:
    _execute(connection, _ADD_HISTORY, rows)


def add_usage(connection: Connection, rows: Rows) -> None:
    _execute(connection, _ADD_USAGE, rows)


def add_dead_letters(connection: Connection, rows: Rows) -> None:
    _execute(connection, _ADD_DEAD_LETTERS, rows)


def _execute(connection: Connection, statement: Insert, rows: Rows) -> None:
    if rows:
        connection.execute(statement, rows)
