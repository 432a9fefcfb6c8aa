"""One page of topics: any filter, any order, by cursor. The cost does not grow with the number of topics.

Either the sort order's index is walked, skipping rows that do not match, or the matches of the rarest filter are looked
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
    "title": (_C.name_normal, _C.id),
    "status": (_C.status, _C.created_at, _C.id),
    "difficulty": (_C.difficulty, _C.created_at, _C.id),
}


OF_A_FACET = (facets.c.created_at, facets.c.id)  # equal to the order by creation


@dataclass(frozen=True, slots=True)
class Total:
    number: int
    is_capped: bool = False


def read_page(
    connection: Connection, query: SubmissionQuery, *, limit: int, offset: int = 0, total: Total | None = None
) -> tuple[list[RowMapping], Total]:
    """Rows with content, and the total. `total`: as counted for the first page."""
    matches = matches_of(connection, query)
    if matches.matching_ids == []:
        return [], Total(0)
    leader = matches.leader(query, limit + offset)
    is_walked = leader in query.facets and query.sort_by == "created_at"
    order = OF_A_FACET if is_walked else ORDERS[query.sort_by]
    statement = select(submissions, contents.c.content).outerjoin(contents, contents.c.id == _C.id)
    statement = filtered(statement, query, matches.matching_ids, leader, beside=asked_of_each_row)
    if query.after:
        statement = statement.where(_beyond(order, query.after, query.ascending))
    statement = statement.order_by(*(column.asc() if query.ascending else column.desc() for column in order))
    rows = list(connection.execute(statement.limit(limit).offset(offset)).mappings())
    return rows, total or _total(connection, query, matches)


def _total(connection: Connection, query: SubmissionQuery, matches: Matches) -> Total:
    """Stored for a single filter; for several, counted by the rarest one up to 10,000."""
    filters = {name: size for name, size in matches.sizes.items() if name != ALL}
    if len(filters) <= 1 and (query.search is None or matches.matching_ids is not None):
        return Total(next(iter(filters.values()), matches.sizes[ALL]))
    looked_up = [name for name in filters if name != STATUS]  # most of what has a facet is completed
    leader = min(looked_up, key=lambda name: filters[name], default=None)
    some = filtered(select(literal(1)).select_from(submissions), query, matches.matching_ids, leader)
    counted = int(connection.scalar(select(func.count()).select_from(some.limit(COUNT_AT_MOST + 1).subquery())) or 0)
    return Total(min(counted, COUNT_AT_MOST), counted > COUNT_AT_MOST)


def _beyond(order: tuple[ColumnElement[Any], ...], after: tuple[Any, ...], ascending: bool) -> ColumnElement[bool]:
    here = tuple_(*order)
    last = tuple_(*(literal(value, column.type) for value, column in zip(after, order, strict=True)))
    return here > last if ascending else here < last
