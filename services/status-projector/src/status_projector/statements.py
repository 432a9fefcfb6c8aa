"""The projection's statements, each for a whole set of rows, run in the transaction of whoever calls.

Built once: for a small batch, building them took longer than running them.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any

from pydantic_core import to_json
from sqlalchemy import BindParameter, Connection, Table, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert  # in words that SQLite knows too

from shared.db import tables
from shared.db.array_params import one_of
from shared.db.engine import DatabaseUnreachable
from shared.db.facets import Facet
from shared.events import UsageTotals
from shared.messaging.broker import Positions
from status_projector.bulk_statements import Prepared, Rows, Writes, deleting, inserting
from status_projector.ledger import LedgerChanges, LedgerEntry
from status_projector.submission_state import NewContent, State

Counted = tuple[str, int, str]  # kind, partition, and a status or how something ended
FacetRow = tuple[str, str, datetime | None, str]  # facet, value, when the submission was created, its id


@dataclass(slots=True)
class CountDelta:
    """By how much a count moves; `timed`: of how many it is known what they took, `milliseconds`: all of them."""

    submissions: int = 0
    timed: int = 0
    milliseconds: int = 0


def _replacing(table: Table) -> Prepared:
    kept = (f"{c.name} = excluded.{c.name}" for c in table.c if not c.primary_key)
    return inserting(table, f"ON CONFLICT ({_key(table)}) DO UPDATE SET {', '.join(kept)}")


def _adding(table: Table) -> Prepared:
    """Rows that are there already stay as they are."""
    return inserting(table, "ON CONFLICT DO NOTHING")


def _moving(table: Table) -> Prepared:
    """Adds to the numbers that are there."""
    moved = (f"{c.name} = {table.name}.{c.name} + excluded.{c.name}" for c in table.c if not c.primary_key)
    return inserting(table, f"ON CONFLICT ({_key(table)}) DO UPDATE SET {', '.join(moved)}")


def _key(table: Table) -> str:
    return ", ".join(column.name for column in table.primary_key)


_AT = tables.positions.c
_OF: BindParameter[int] = bindparam("of")
_GET_POSITION = select(_AT.version, _AT.positions, _AT.as_of).where(_AT.partition == _OF)
_ADD_POSITIONS = _adding(tables.positions)
_MOVE_POSITIONS = Prepared(
    tables.positions,
    "UPDATE positions SET version = ?2, positions = ?3, as_of = ?4 WHERE partition = ?1 AND version = ?2 - 1",
    "UPDATE positions SET version = moved.version, positions = moved.positions, as_of = moved.as_of"
    " FROM {rows} AS moved (partition, version, positions, as_of)"
    " WHERE positions.partition = moved.partition AND positions.version = moved.version - 1",
)
_COLUMNS = [tables.submissions.c[field.name] for field in fields(State)]
_OF_IDS = one_of(tables.submissions.c.id)
_GET_STATES = select(*_COLUMNS).where(_OF_IDS).order_by(tables.submissions.c.id).with_for_update()
_ADD_STATES = _adding(tables.submissions)
_PUT_STATES = _replacing(tables.submissions)
_GET_CONTENTS = select(tables.contents).where(one_of(tables.contents.c.id))
_PUT_CONTENTS = _replacing(tables.contents)
_DROP_CONTENTS = delete(tables.contents).where(one_of(tables.contents.c.id))
_MOVE_COUNTS = _moving(tables.status_counts)
_ADD_FACETS = inserting(tables.facets)
_DROP_FACETS = deleting(tables.facets)
_MOVE_FACET_COUNTS = _moving(tables.facet_counts)
_ADD_HISTORY = _adding(tables.history)
_H = tables.history.c
_GET_ENDED = (
    select(_H.id, _H.attempt).where(one_of(_H.id)).where(_H.event.in_(("SubmissionFailed", "SubmissionCompleted")))
)
_MOVE_ENDS = _moving(tables.ends)
_GET_PAID = select(*(tables.usage.c[field.name] for field in fields(LedgerEntry))).where(one_of(tables.usage.c.id))
_ADD_PAID = inserting(tables.usage)
_PUT_PAID = _replacing(tables.usage)
_MOVE_USAGE = _moving(tables.usage_totals)
_USED = tables.usage_totals.c
_GET_USAGE_TOTALS = (
    select(
        _USED.kind,
        _USED.model,
        _USED.partition,
        func.sum(_USED.sixtieths).label("sixtieths"),
        func.sum(_USED.tokens_in).label("tokens_in"),
        func.sum(_USED.nano_dollars).label("nano_dollars"),
    )
    .where(_USED.day == bindparam("day"))
    .group_by(_USED.kind, _USED.model, _USED.partition)
)
_ADD_DEAD_LETTERS = insert(tables.dead_letters).on_conflict_do_nothing()
_VALUE = itemgetter(0, 1)  # within one, times are in order already, and comparing them takes long
_PAID_ROW: Callable[[LedgerEntry], tuple[Any, ...]] = attrgetter(*(column.name for column in tables.usage.c))
_STATE_ROW: Callable[[State], tuple[Any, ...]] = attrgetter(*(column.name for column in tables.submissions.c))


def get_position(connection: Connection, partition: int) -> tuple[int, Positions, datetime | None] | None:
    """(version, positions, as_of)"""
    found = connection.execute(_GET_POSITION, {"of": partition}).one_or_none()
    return found and (found.version, found.positions, found.as_of)


def move_positions(connection: Connection, moved: Sequence[tuple[int, int, Positions, datetime | None]]) -> bool:
    """(partition, version, positions, as_of), in the order in which everybody locks them. False if one of them is not
    at the version before."""
    rows = [(partition, version, json.dumps(positions), as_of) for partition, version, positions, as_of in moved]
    first, later = [row for row in rows if row[1] == 1], [row for row in rows if row[1] > 1]
    return _ADD_POSITIONS.execute(connection, first) + _MOVE_POSITIONS.execute(connection, later) == len(rows)


def get_states(connection: Connection, ids: Iterable[str]) -> dict[str, State]:
    """Locked, in the order of their ids, so that two projectors with the same submissions never wait for each other."""
    return {row[0]: State(*row) for row in connection.execute(_GET_STATES, {"ids": sorted(ids)})}


def put_states(connection: Connection, writes: Writes, states: Mapping[str, State], known: Collection[str]) -> None:
    """`known`: the ids that `get_states` found. New ones at once: from then on they are locked too.

    Raises DatabaseUnreachable if another projector had a new one first.
    """
    ordered = sorted(states.items())
    new = [_STATE_ROW(state) for id_, state in ordered if id_ not in known]
    if _ADD_STATES.execute(connection, new) != len(new):
        raise DatabaseUnreachable("another projector stored the same new submission at the same time")
    writes.add(_PUT_STATES, [_STATE_ROW(state) for id_, state in ordered if id_ in known])


def get_contents(connection: Connection, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    return {row.id: json.loads(row.content) for row in connection.execute(_GET_CONTENTS, {"ids": list(ids)})}


def put_contents(connection: Connection, writes: Writes, contents: Mapping[str, NewContent]) -> None:
    kept = {id_: new.content for id_, new in contents.items() if new.content is not None}
    writes.add(_PUT_CONTENTS, [(id_, to_json(content).decode()) for id_, content in kept.items()])
    if gone := contents.keys() - kept.keys():
        connection.execute(_DROP_CONTENTS, {"ids": list(gone)})


def move_counts(writes: Writes, counts: Mapping[Counted, CountDelta]) -> None:
    """In the order of the rows, as everybody moves them."""
    rows = [(*of, moved.submissions, moved.timed, moved.milliseconds) for of, moved in sorted(counts.items())]
    writes.add(_MOVE_COUNTS, [row for row in rows if any(row[3:])])


def move_facets(
    writes: Writes,
    added: Iterable[FacetRow],
    removed: Iterable[FacetRow],
    counts: Mapping[int, Mapping[Facet, int]],
) -> None:
    """`counts`: how many more there are by partition and facet. All in the order of the pages they are on."""
    moved = [(*facet, of, more) for of, facets in counts.items() for facet, more in facets.items() if more]
    writes.add(_DROP_FACETS, sorted(removed, key=_VALUE))
    writes.add(_ADD_FACETS, sorted(added, key=_VALUE))
    writes.add(_MOVE_FACET_COUNTS, sorted(moved))


def add_history(writes: Writes, rows: Rows) -> None:
    writes.add(_ADD_HISTORY, rows)


def get_ended(connection: Connection, ids: Iterable[str]) -> set[tuple[str, int]]:
    """These submissions' attempts that ended, by id and number."""
    return {(row.id, row.attempt) for row in connection.execute(_GET_ENDED, {"ids": sorted(ids)})}


def move_ends(writes: Writes, ends: Mapping[Counted, int]) -> None:
    """In the order of the rows, as everybody moves them."""
    writes.add(_MOVE_ENDS, [(*of, number) for of, number in sorted(ends.items())])


def get_paid(connection: Connection, ids: Iterable[str]) -> list[LedgerEntry]:
    return [LedgerEntry(*row) for row in connection.execute(_GET_PAID, {"ids": sorted(ids)})]


def put_booked(writes: Writes, booked: LedgerChanges) -> None:
    """Totals in the order of the rows, as everybody moves them."""
    writes.add(_ADD_PAID, [_PAID_ROW(paid) for paid in booked.added])
    writes.add(_PUT_PAID, [_PAID_ROW(paid) for paid in booked.changed])
    writes.add(_MOVE_USAGE, [(*of, *moved) for of, moved in sorted(booked.totals.items()) if any(moved)])


def get_usage_totals(connection: Connection, day: str) -> set[UsageTotals]:
    return {
        UsageTotals(
            day=day,
            kind=row.kind,
            model=row.model,
            partition=row.partition,
            requests=int(row.sixtieths) / 60,
            tokens=int(row.tokens_in),
            cost=int(row.nano_dollars) / 1e9,
        )
        for row in connection.execute(_GET_USAGE_TOTALS, {"day": day})
    }


def add_dead_letters(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(_ADD_DEAD_LETTERS, rows)
