"""One page of topics: any filter, any order, by cursor. What it costs does not grow with how many there are.

Either the index of the order is walked and what does not match is passed over, or what has the rarest filter is looked
up and sorted: whichever reads fewer rows (docs/decisions/0009).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, literal, select, tuple_

from api.projection.filters import ALL, STATUS, Matches, SubmissionQuery, asked_of_each_row, filtered, matches_of
from shared.db.tables import contents, facets, submissions

COUNT_AT_MOST = 10_000
_C = submissions.c
ORDERS: Mapping[str, tuple[ColumnElement[Any], ...]] = {
    "created_at": (_C.created_at, _C.id),
    "updated_at": (_C.updated_at, _C.id),
    "title": (_C.title_normal, _C.id),
    "status": (_C.status, _C.created_at, _C.id),
    "difficulty": (_C.difficulty, _C.created_at, _C.id),
}


OF_A_FACET = (facets.c.created_at, facets.c.id)  # the same as by creation


@dataclass(frozen=True, slots=True)
class Total:
    number: int
    is_capped: bool = False


def read_page(
    connection: Connection, wanted: SubmissionQuery, *, limit: int, offset: int = 0, total: Total | None = None
) -> tuple[list[RowMapping], Total]:
    """With content. `total`: as it was counted when this walk began."""
    matches = matches_of(connection, wanted)
    if matches.found == []:
        return [], Total(0)
    leader = matches.leader(wanted, limit + offset)
    is_walked = leader in wanted.facets and wanted.sort_by == "created_at"
    order = OF_A_FACET if is_walked else ORDERS[wanted.sort_by]
    query = select(submissions, contents.c.content).outerjoin(contents, contents.c.id == _C.id)
    query = filtered(query, wanted, matches.found, leader, beside=asked_of_each_row)
    if wanted.after:
        query = query.where(_beyond(order, wanted.after, wanted.ascending))
    query = query.order_by(*(column.asc() if wanted.ascending else column.desc() for column in order))
    rows = list(connection.execute(query.limit(limit).offset(offset)).mappings())
    return rows, total or _total(connection, wanted, matches)


def _total(connection: Connection, wanted: SubmissionQuery, matches: Matches) -> Total:
    """Of one filter it is known; of several together, counting goes by the rarest and stops at 10,000."""
    filters = {name: size for name, size in matches.sizes.items() if name != ALL}
    if len(filters) <= 1 and (wanted.search is None or matches.found is not None):
        return Total(next(iter(filters.values()), matches.sizes[ALL]))
    looked_up = [name for name in filters if name != STATUS]  # most of what has a facet is completed
    leader = min(looked_up, key=lambda name: filters[name], default=None)
    some = filtered(select(literal(1)).select_from(submissions), wanted, matches.found, leader)
    counted = int(connection.scalar(select(func.count()).select_from(some.limit(COUNT_AT_MOST + 1).subquery())) or 0)
    return Total(min(counted, COUNT_AT_MOST), counted > COUNT_AT_MOST)


def _beyond(order: tuple[ColumnElement[Any], ...], after: tuple[Any, ...], ascending: bool) -> ColumnElement[bool]:
    here = tuple_(*order)
    last = tuple_(*(literal(value, column.type) for value, column in zip(after, order, strict=True)))
    return here > last if ascending else here < last
