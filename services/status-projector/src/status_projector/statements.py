"""The projection's SQL statements, each for a whole set of rows, executed in the caller's transaction.

Built once: for a small batch, building them took longer than executing them.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any

from pydantic_core import to_json
from sqlalchemy import BindParameter, Connection, Table, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert  # in syntax that SQLite accepts, too

from shared.db import tables
from shared.db.array_params import one_of
from shared.db.engine import DatabaseUnreachable
from shared.db.facets import Facet
from shared.events import UsageReported
from shared.messaging.broker import Positions
from status_projector.bulk_statements import BulkStatement, Rows, Writes, deleting, inserting
from status_projector.ledger import LedgerChanges, LedgerEntry
from status_projector.submission_state import NewContent, State

CountKey = tuple[str, int, str]  # kind, partition, and a status or the value of `ended`
FacetRow = tuple[str, str, datetime | None, str]  # facet, value, when the submission was created, its id


@dataclass(slots=True)
class CountDelta:
    """Change of a status count. `timed`: submissions whose duration is known; `milliseconds`: their total."""

    submissions: int = 0
    timed: int = 0
    milliseconds: int = 0


def _upserting(table: Table) -> BulkStatement:
    updates = (f"{c.name} = excluded.{c.name}" for c in table.c if not c.primary_key)
    return inserting(table, f"ON CONFLICT ({_key(table)}) DO UPDATE SET {', '.join(updates)}")


def _inserting_missing(table: Table) -> BulkStatement:
    """Existing rows stay as they are."""
    return inserting(table, "ON CONFLICT DO NOTHING")


def _incrementing(table: Table) -> BulkStatement:
    """Adds the rows' numbers to existing ones."""
    sums = (f"{c.name} = {table.name}.{c.name} + excluded.{c.name}" for c in table.c if not c.primary_key)
    return inserting(table, f"ON CONFLICT ({_key(table)}) DO UPDATE SET {', '.join(sums)}")


def _key(table: Table) -> str:
    return ", ".join(column.name for column in table.primary_key)


_P = tables.positions.c
_PARTITION: BindParameter[int] = bindparam("partition")
_GET_POSITION = select(_P.version, _P.positions, _P.as_of).where(_P.partition == _PARTITION)
_ADD_POSITIONS = _inserting_missing(tables.positions)
_MOVE_POSITIONS = BulkStatement(
    tables.positions,
    "UPDATE positions SET version = ?2, positions = ?3, as_of = ?4 WHERE partition = ?1 AND version = ?2 - 1",
    "UPDATE positions SET version = moved.version, positions = moved.positions, as_of = moved.as_of"
    " FROM {rows} AS moved (partition, version, positions, as_of)"
    " WHERE positions.partition = moved.partition AND positions.version = moved.version - 1",
)
_COLUMNS = [tables.submissions.c[field.name] for field in fields(State)]
_OF_IDS = one_of(tables.submissions.c.id)
_GET_STATES = select(*_COLUMNS).where(_OF_IDS).order_by(tables.submissions.c.id).with_for_update()
_ADD_STATES = _inserting_missing(tables.submissions)
_PUT_STATES = _upserting(tables.submissions)
_GET_CONTENTS = select(tables.contents).where(one_of(tables.contents.c.id))
_PUT_CONTENTS = _upserting(tables.contents)
_DROP_CONTENTS = delete(tables.contents).where(one_of(tables.contents.c.id))
_UPDATE_COUNTS = _incrementing(tables.status_counts)
_ADD_FACETS = inserting(tables.facets)
_DROP_FACETS = deleting(tables.facets)
_UPDATE_FACET_COUNTS = _incrementing(tables.facet_counts)
_ADD_HISTORY = _inserting_missing(tables.history)
_H = tables.history.c
_GET_ENDED_ATTEMPTS = (
    select(_H.id, _H.attempt).where(one_of(_H.id)).where(_H.event.in_(("SubmissionFailed", "SubmissionCompleted")))
)
_UPDATE_ENDS = _incrementing(tables.ends)
_GET_LEDGER_ENTRIES = select(*(tables.usage.c[field.name] for field in fields(LedgerEntry))).where(
    one_of(tables.usage.c.id)
)
_ADD_LEDGER_ENTRIES = inserting(tables.usage)
_PUT_LEDGER_ENTRIES = _upserting(tables.usage)
_UPDATE_USAGE_TOTALS = _incrementing(tables.usage_totals)
_TOTALS = tables.usage_totals.c
_GET_USAGE_TOTALS = (
    select(
        _TOTALS.kind,
        _TOTALS.model,
        _TOTALS.partition,
        func.sum(_TOTALS.sixtieths).label("sixtieths"),
        func.sum(_TOTALS.tokens_in).label("tokens_in"),
        func.sum(_TOTALS.nano_dollars).label("nano_dollars"),
    )
    .where(_TOTALS.day == bindparam("day"))
    .group_by(_TOTALS.kind, _TOTALS.model, _TOTALS.partition)
)
_ADD_DEAD_LETTERS = insert(tables.dead_letters).on_conflict_do_nothing()
_FACET_AND_VALUE = itemgetter(0, 1)  # within a value, times are in order already, and comparing them is slow
_LEDGER_ROW: Callable[[LedgerEntry], tuple[Any, ...]] = attrgetter(*(column.name for column in tables.usage.c))
_STATE_ROW: Callable[[State], tuple[Any, ...]] = attrgetter(*(column.name for column in tables.submissions.c))


def get_position(connection: Connection, partition: int) -> tuple[int, Positions, datetime | None] | None:
    """Returns (version, positions, as_of)."""
    row = connection.execute(_GET_POSITION, {"partition": partition}).one_or_none()
    return row and (row.version, row.positions, row.as_of)


def move_positions(connection: Connection, moved: Sequence[tuple[int, int, Positions, datetime | None]]) -> bool:
    """`moved`: (partition, version, positions, as_of), in partition order, which is the lock order of every projector.

    Returns False if one of the rows is not at the preceding version.
    """
    rows = [(partition, version, json.dumps(positions), as_of) for partition, version, positions, as_of in moved]
    first, later = [row for row in rows if row[1] == 1], [row for row in rows if row[1] > 1]
    return _ADD_POSITIONS.execute(connection, first) + _MOVE_POSITIONS.execute(connection, later) == len(rows)


def get_states(connection: Connection, ids: Iterable[str]) -> dict[str, State]:
    """Locks the rows in the order of their ids, so that projectors with the same submissions cannot deadlock."""
    return {row[0]: State(*row) for row in connection.execute(_GET_STATES, {"ids": sorted(ids)})}


def put_states(connection: Connection, writes: Writes, states: Mapping[str, State], known: Collection[str]) -> None:
    """`known`: the ids that `get_states` found. New rows are inserted at once, which locks them, too.

    Raises DatabaseUnreachable if another projector inserted one of them first.
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
    if removed := contents.keys() - kept.keys():
        connection.execute(_DROP_CONTENTS, {"ids": list(removed)})


def update_counts(writes: Writes, counts: Mapping[CountKey, CountDelta]) -> None:
    """In key order, which is the lock order of every projector."""
    rows = [(*key, delta.submissions, delta.timed, delta.milliseconds) for key, delta in sorted(counts.items())]
    writes.add(_UPDATE_COUNTS, [row for row in rows if any(row[3:])])


def update_facets(
    writes: Writes,
    added: Iterable[FacetRow],
    removed: Iterable[FacetRow],
    counts: Mapping[int, Mapping[Facet, int]],
) -> None:
    """`counts`: changes by partition and facet. All rows are written in the order of their pages."""
    deltas = [(*facet, partition, n) for partition, facets in counts.items() for facet, n in facets.items() if n]
    writes.add(_DROP_FACETS, sorted(removed, key=_FACET_AND_VALUE))
    writes.add(_ADD_FACETS, sorted(added, key=_FACET_AND_VALUE))
    writes.add(_UPDATE_FACET_COUNTS, sorted(deltas))


def add_history(writes: Writes, rows: Rows) -> None:
    writes.add(_ADD_HISTORY, rows)


def get_ended_attempts(connection: Connection, ids: Iterable[str]) -> set[tuple[str, int]]:
    """The attempts of these submissions that ended, as (id, attempt)."""
    return {(row.id, row.attempt) for row in connection.execute(_GET_ENDED_ATTEMPTS, {"ids": sorted(ids)})}


def update_ends(writes: Writes, ends: Mapping[CountKey, int]) -> None:
    """In key order, which is the lock order of every projector."""
    writes.add(_UPDATE_ENDS, [(*key, number) for key, number in sorted(ends.items())])


def get_ledger_entries(connection: Connection, ids: Iterable[str]) -> list[LedgerEntry]:
    return [LedgerEntry(*row) for row in connection.execute(_GET_LEDGER_ENTRIES, {"ids": sorted(ids)})]


def update_ledger(writes: Writes, changes: LedgerChanges) -> None:
    """Totals in key order, which is the lock order of every projector."""
    writes.add(_ADD_LEDGER_ENTRIES, [_LEDGER_ROW(entry) for entry in changes.added])
    writes.add(_PUT_LEDGER_ENTRIES, [_LEDGER_ROW(entry) for entry in changes.changed])
    writes.add(_UPDATE_USAGE_TOTALS, [(*key, *delta) for key, delta in sorted(changes.totals.items()) if any(delta)])


def get_usage_totals(connection: Connection, day: str) -> set[UsageReported]:
    return {
        UsageReported(
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
