"""One page of topics: any filter, any order, by cursor. The cost does not grow with the number of topics.

Either the sort order's index is walked, skipping rows that do not match, or the matches of the rarest filter are looked
up and sorted: whichever reads fewer rows (docs/decisions/0009).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, func, literal, select, tuple_

from api.projection.filters import (
    ALL,
    STATUS,
    Matches,
    SubmissionQuery,
    asked_of_each_row,
    filtered,
    in_range,
    matches_of,
    without_index,
)
from shared.db.array_params import one_of
from shared.db.tables import contents, facets, submissions

COUNT_AT_MOST = 10_000
MOST_LOOKED_AT = 5_000  # rows on a page, where no index helps
IS_MATCH = "is_match"
_C = submissions.c
ORDERS: Mapping[str, tuple[ColumnElement[Any], ...]] = {
    "created_at": (_C.created_at, _C.id),
    "updated_at": (_C.updated_at, _C.id),
    "title": (_C.name_normal, _C.id),
    "status": (_C.status, _C.created_at, _C.id),
    "difficulty": (_C.difficulty, _C.created_at, _C.id),
}


_WITH_CONTENT = select(submissions, contents.c.content).outerjoin(contents, contents.c.id == _C.id)
_BY_ID = _WITH_CONTENT.where(one_of(_C.id))
OF_A_FACET = (facets.c.created_at, facets.c.id)  # equal to the order by creation


@dataclass(frozen=True, slots=True)
class Total:
    number: int
    is_capped: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """`last`: the row after which the next page begins; None on the last page."""

    rows: list[RowMapping]
    total: Total
    last: RowMapping | None = None


def read_page(
    connection: Connection, query: SubmissionQuery, *, limit: int, offset: int = 0, total: Total | None = None
) -> Page:
    """Rows with content, and the total. `total`: as counted for the first page."""
    matches = matches_of(connection, query)
    if matches.matching_ids == []:
        return Page([], Total(0))
    leader = matches.leader(query, limit + offset)
    is_walked = leader in query.facets and query.sort_by == "created_at"
    order = OF_A_FACET if is_walked else ORDERS[query.sort_by]
    row_by_row = without_index(query, order[0].name)
    statement: Select[Any] = select(*order, and_(*row_by_row).label(IS_MATCH)) if row_by_row else _WITH_CONTENT
    statement = filtered(statement, query, matches.matching_ids, leader, beside=asked_of_each_row)
    statement = statement.where(*in_range(query, order[0]))
    if query.after:
        statement = statement.where(_beyond(order, query.after, query.ascending))
    statement = statement.order_by(*(column.asc() if query.ascending else column.desc() for column in order))
    if row_by_row:
        return _look_through(connection, statement, limit=limit, offset=offset, total=total)
    rows = list(connection.execute(statement.limit(limit).offset(offset)).mappings())
    last = rows[-1] if len(rows) == limit else None
    return Page(rows, total or _total(connection, query, matches), last)


def _look_through(
    connection: Connection, statement: Select[Any], *, limit: int, offset: int, total: Total | None
) -> Page:
    """Looks at MOST_LOOKED_AT rows of the sort order at most, and continues behind them on the next page. The total is
    what the first page has seen."""
    looked_at = list(connection.execute(statement.limit(MOST_LOOKED_AT)).mappings())
    matching = [row for row in looked_at if row[IS_MATCH]]
    ids = [row["id"] for row in matching[offset : offset + limit]]
    rows = {row["id"]: row for row in connection.execute(_BY_ID, {"ids": ids}).mappings()} if ids else {}
    is_cut_off = len(looked_at) == MOST_LOOKED_AT
    last = matching[offset + limit - 1] if len(ids) == limit else looked_at[-1] if is_cut_off else None
    return Page([rows[id_] for id_ in ids], total or Total(len(matching), is_cut_off), last)


def _total(connection: Connection, query: SubmissionQuery, matches: Matches) -> Total:
    """Stored for a single filter; for several, and for a range of time, counted by the rarest one up to 10,000."""
    filters = {name: size for name, size in matches.sizes.items() if name != ALL}
    in_time = in_range(query, ORDERS[query.sort_by][0])
    if not in_time and len(filters) <= 1 and (query.search is None or matches.matching_ids is not None):
        return Total(next(iter(filters.values()), matches.sizes[ALL]))
    looked_up = [name for name in filters if name != STATUS]  # most of what has a facet is completed
    leader = min(looked_up, key=lambda name: filters[name], default=None)
    some = filtered(select(literal(1)).select_from(submissions), query, matches.matching_ids, leader)
    some = some.where(*in_time)
    counted = int(connection.scalar(select(func.count()).select_from(some.limit(COUNT_AT_MOST + 1).subquery())) or 0)
    return Total(min(counted, COUNT_AT_MOST), counted > COUNT_AT_MOST)


def _beyond(order: tuple[ColumnElement[Any], ...], after: tuple[Any, ...], ascending: bool) -> ColumnElement[bool]:
    here = tuple_(*order)
    last = tuple_(*(literal(value, column.type) for value, column in zip(after, order, strict=True)))
    return here > last if ascending else here < last
