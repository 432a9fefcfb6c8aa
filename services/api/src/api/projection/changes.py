"""Reads the change feed: which submissions changed after a point, each in its newest state.

Versions of a partition are serial, because projectors move them by compare-and-set, so nothing is stored later with an
earlier version. Rows and positions are read in one snapshot.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, bindparam, select, true

from api.projection.change_cursor import ChangeCursor
from api.projection.queries import COUNTS
from shared.db.array_params import one_of
from shared.db.tables import generation, positions, submissions
from shared.events import Kind

MOST_ROWS = 200  # of one event
MOST_LOOKED_AT = 20_000  # changed submissions, of which only id and kind are read: 40 ms
KINDS: tuple[Kind, ...] = ("topic", "article")
_IDS_A_QUERY = 500
_C = submissions.c
_NOW = select(generation.c.id, positions.c.partition, positions.c.version).outerjoin(positions, true())
_CHANGED = select(_C.id, _C.kind).where(
    _C.changed_in == bindparam("partition"), _C.changed > bindparam("after"), _C.changed <= bindparam("up_to")
)
_CHANGED = _CHANGED.limit(bindparam("limit"))
_ROWS = select(
    _C.id,
    _C.kind,
    _C.name,
    _C.status,
    _C.attempt,
    _C.updated_at,
    _C.error_message,
    _C.waiting_reason,
    _C.waiting_since,
    _C.waiting_until,
    _C.changed_in,
    _C.changed,
).where(one_of(_C.id))


@dataclass(frozen=True, slots=True)
class Interest:
    """What somebody listens for: submissions of these kinds; `ids`: these only, if there are any."""

    kinds: frozenset[Kind] = frozenset()  # all, if there are none
    ids: frozenset[str] = frozenset()

    def among(self, kinds: Mapping[str, Kind]) -> list[str]:
        """Those of these submissions, given with the kind of each."""
        ids = self.ids & kinds.keys() if self.ids else kinds
        return [id_ for id_ in ids if not self.kinds or kinds[id_] in self.kinds]


@dataclass(frozen=True, slots=True)
class Changes:
    """`kinds`: of all submissions that changed, by id; `rows`: of those that somebody listens for, unless they are too
    many for one event. `counts`: by kind and status. `must_reread`: too much changed, or the tables are new."""

    cursor: ChangeCursor
    kinds: Mapping[str, Kind]
    rows: Mapping[str, RowMapping]
    counts: Mapping[Kind, Mapping[str, int]]
    must_reread: bool = False


def read_changes(
    connection: Connection, since: ChangeCursor, ids: Collection[str], interests: Collection[Interest]
) -> Changes | None:
    """What changed after `since`, if anything. `ids`: of all listeners for some; `interests`: of the others."""
    now = _now(connection)
    if now == since:
        return None
    counts = _counts(connection)
    kinds = _changed(connection, since, now) if now.continues(since) else None
    if kinds is None:
        return Changes(now, {}, {}, counts, must_reread=True)
    listened_for = kinds.keys() & ids
    for interest in interests:
        of_interest = interest.among(kinds)
        listened_for |= set(of_interest) if len(of_interest) <= MOST_ROWS else set()
    return Changes(now, kinds, _rows(connection, listened_for), counts)


def read_beginning(connection: Connection, since: ChangeCursor | None, interest: Interest) -> Changes:
    """The first answer to one listener: what it has missed after `since`, or else the state of its ids."""
    if since and not interest.ids and (missed := read_changes(connection, since, (), [interest])):
        return missed
    now, counts = _now(connection), _counts(connection)
    if since and not now.continues(since):
        return Changes(now, {}, {}, counts, must_reread=True)
    rows = _rows(connection, interest.ids)
    return Changes(now, {id_: row["kind"] for id_, row in rows.items()}, rows, counts)


def _now(connection: Connection) -> ChangeCursor:
    rows = connection.execute(_NOW).all()
    versions = {row.partition: row.version for row in rows if row.partition is not None}
    return ChangeCursor(rows[0].id, tuple(versions.get(n, 0) for n in range(max(versions, default=-1) + 1)))


def _changed(connection: Connection, since: ChangeCursor, now: ChangeCursor) -> dict[str, Kind] | None:
    """The kind of each by id; None if there are too many."""
    changed: dict[str, Kind] = {}
    for partition, version in enumerate(now.versions):
        if version > since.version_of(partition):
            between = {"partition": partition, "after": since.version_of(partition), "up_to": version}
            limit = MOST_LOOKED_AT + 1 - len(changed)
            changed |= {row.id: row.kind for row in connection.execute(_CHANGED, {**between, "limit": limit})}
            if len(changed) > MOST_LOOKED_AT:
                return None
    return changed


def _rows(connection: Connection, ids: Collection[str]) -> dict[str, RowMapping]:
    return {
        row["id"]: row
        for some in _in_portions(sorted(ids))
        for row in connection.execute(_ROWS, {"ids": some}).mappings()
    }


def _in_portions(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _IDS_A_QUERY):
        yield ids[start : start + _IDS_A_QUERY]


def _counts(connection: Connection) -> dict[Kind, dict[str, int]]:
    return {kind: {row.status: int(row.n) for row in connection.execute(COUNTS, {"kind": kind})} for kind in KINDS}
