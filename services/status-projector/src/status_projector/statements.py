"""The projection's statements, each for a whole set of rows, run in the transaction of whoever calls.

Built once: for a small batch, building them took longer than running them.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

from pydantic_core import to_json
from sqlalchemy import BindParameter, Connection, Table, bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import Insert, insert

from shared.db import tables
from shared.db.tables import Moment, stored
from shared.transport.base import Positions
from status_projector.prepared import Prepared
from status_projector.status_counts import NewContent, State

T = TypeVar("T")
IDS_A_QUERY = 500
Counted = tuple[str, int, str]  # kind, partition, status
FacetRow = tuple[str, str, str, str]  # facet, value, when the submission was created, as stored, and its id
Row = Mapping[str, Any]


@dataclass(slots=True)
class Moved:
    """By how much a count moves; `timed`: of how many it is known what they took, `milliseconds`: all of them."""

    submissions: int = 0
    timed: int = 0
    milliseconds: int = 0


def _names(table: Table) -> list[str]:
    return [column.name for column in table.c]


def _replacing(table: Table) -> Prepared:
    statement = insert(table)
    kept = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
    return Prepared(statement.on_conflict_do_update(index_elements=table.primary_key, set_=kept), _names(table))


def _adding(table: Table) -> Insert:
    """Rows that are there already stay as they are."""
    return insert(table).on_conflict_do_nothing()


def _moving(table: Table, *numbers: str) -> Prepared:
    """Adds to what is there."""
    statement = insert(table)
    moved = {name: table.c[name] + statement.excluded[name] for name in numbers}
    return Prepared(statement.on_conflict_do_update(index_elements=table.primary_key, set_=moved), _names(table))


def _row_of(table: Table, get: Callable[..., Callable[[T], tuple[Any, ...]]]) -> Callable[[T], tuple[Any, ...]]:
    """What makes a row for the driver; `get` is attrgetter or itemgetter."""
    values = get(*_names(table))
    moments = [place for place, column in enumerate(table.c) if isinstance(column.type, Moment)]

    def row(source: T) -> tuple[Any, ...]:
        found = list(values(source))
        for place in moments:
            found[place] = stored(found[place])
        return tuple(found)

    return row


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
_GET_CONTENTS = select(tables.contents).where(tables.contents.c.id.in_(_IDS))
_PUT_CONTENTS = _replacing(tables.contents)
_DROP_CONTENTS = delete(tables.contents).where(tables.contents.c.id.in_(_IDS))
_MOVE_COUNTS = _moving(tables.status_counts, "submissions", "timed", "milliseconds")
_ADD_FACETS = Prepared(_adding(tables.facets), _names(tables.facets))
_DROP_FACETS = Prepared(
    delete(tables.facets).where(*(column == bindparam(column.name) for column in tables.facets.c)),
    _names(tables.facets),
)
_MOVE_FACET_COUNTS = _moving(tables.facet_counts, "submissions")
_ADD_HISTORY = Prepared(_adding(tables.history), _names(tables.history))
_ADD_USAGE = Prepared(_adding(tables.usage), _names(tables.usage))
_ADD_DEAD_LETTERS = _adding(tables.dead_letters)
_STATE_ROW: Callable[[State], tuple[Any, ...]] = _row_of(tables.submissions, attrgetter)
_HISTORY_ROW: Callable[[Row], tuple[Any, ...]] = _row_of(tables.history, itemgetter)
_USAGE_ROW: Callable[[Row], tuple[Any, ...]] = _row_of(tables.usage, itemgetter)


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
    found = (row for some in _in_turn(ids) for row in connection.execute(_GET_STATES, {"ids": some}))
    return {row[0]: State(*row) for row in found}


def put_states(connection: Connection, states: Iterable[State]) -> None:
    _PUT_STATES.execute(connection, map(_STATE_ROW, states))


def get_contents(connection: Connection, ids: set[str]) -> dict[str, dict[str, Any]]:
    found = (row for some in _in_turn(ids) for row in connection.execute(_GET_CONTENTS, {"ids": some}))
    return {row.id: json.loads(row.content) for row in found}


def put_contents(connection: Connection, contents: Mapping[str, NewContent]) -> None:
    kept = {id_: new.content for id_, new in contents.items() if new.content is not None}
    _PUT_CONTENTS.execute(connection, [(id_, to_json(content).decode()) for id_, content in kept.items()])
    for some in _in_turn(contents.keys() - kept.keys()):
        connection.execute(_DROP_CONTENTS, {"ids": some})


def move_counts(connection: Connection, counts: Mapping[Counted, Moved]) -> None:
    rows = [(*of, moved.submissions, moved.timed, moved.milliseconds) for of, moved in counts.items()]
    _MOVE_COUNTS.execute(connection, [row for row in rows if any(row[3:])])


def move_facets(
    connection: Connection,
    added: Iterable[FacetRow],
    removed: Iterable[FacetRow],
    counts: Counter[tuple[str, str, int]],
) -> None:
    """`counts`: how many more there are by facet, value and partition. All in the order of the pages they are on."""
    _DROP_FACETS.execute(connection, sorted(removed))
    _ADD_FACETS.execute(connection, sorted(added))
    _MOVE_FACET_COUNTS.execute(connection, [(*of, more) for of, more in sorted(counts.items()) if more])


def add_history(connection: Connection, rows: Iterable[Row]) -> None:
    _ADD_HISTORY.execute(connection, map(_HISTORY_ROW, rows))


def add_usage(connection: Connection, rows: Iterable[Row]) -> None:
    _ADD_USAGE.execute(connection, map(_USAGE_ROW, rows))


def add_dead_letters(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(_ADD_DEAD_LETTERS, rows)


def _in_turn(ids: Collection[str]) -> Iterator[list[str]]:
    wanted = sorted(ids)
    return (wanted[at : at + IDS_A_QUERY] for at in range(0, len(wanted), IDS_A_QUERY))
