"""One page of topics: any filter, any order, by cursor. What it costs does not grow with how many there are.

Without a filter, or under a common one, the index of the order is walked and what does not match is passed over; what
few have in common is looked up first and sorted. Which of the two is known from counts that are kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)

from shared.db.tables import contents, facet_counts, facets, status_counts, submissions
from shared.events import normal

COUNT_AT_MOST = 10_000
FEW = 2_000  # sorted in some 10 ms; above that, walking an index of a million passes over 500 for each that matches
_C = submissions.c
VISIBLE = _C.status != literal_column("'removed'")  # in the words of the indexes, which have no others
ORDERS: Mapping[str, tuple[ColumnElement[Any], ...]] = {
    "created_at": (_C.created_at, _C.id),
    "updated_at": (_C.updated_at, _C.id),
    "title": (_C.title_normal, _C.id),
    "status": (_C.status, _C.created_at, _C.id),
    "difficulty": (_C.difficulty, _C.created_at, _C.id),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which topics, in which order. `facets`: value by name; `after`: what the order goes by, of the last one seen."""

    status: str | None = None
    search: str | None = None
    facets: Mapping[str, str] = field(default_factory=dict)
    sort_by: str = "created_at"
    ascending: bool = False
    after: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Total:
    number: int
    is_capped: bool = False


def read_page(
    connection: Connection, wanted: Wanted, *, limit: int, offset: int = 0, total: Total | None = None
) -> tuple[list[RowMapping], Total]:
    """With content. `total`: as it was counted when this walk began, else from the counts where they know it, else
    counting stops at 10,000."""
    found = _found(connection, wanted.search) if wanted.search is not None else None
    if found == []:
        return [], Total(0)
    where = _conditions(connection, wanted, found)
    order = ORDERS[wanted.sort_by]
    query = (
        select(submissions, contents.c.content)
        .outerjoin(contents, contents.c.id == _C.id)
        .where(*where, *_beyond(order, wanted))
        .order_by(*(column.asc() if wanted.ascending else column.desc() for column in order))
        .limit(limit)
        .offset(offset)
    )
    rows = list(connection.execute(query).mappings())
    return rows, total or _total(connection, wanted, where)


def _total(connection: Connection, wanted: Wanted, where: list[ColumnElement[bool]]) -> Total:
    if wanted.search is None and not wanted.facets:
        return Total(_size_of_status(connection, wanted.status))
    some = select(_C.id).where(*where).limit(COUNT_AT_MOST + 1).subquery()
    counted = _sum(connection, select(func.count()).select_from(some))
    return Total(min(counted, COUNT_AT_MOST), counted > COUNT_AT_MOST)


def _found(connection: Connection, search: str) -> list[str] | None:
    """Ids, by reading the index of titles; None if they are not few."""
    query = select(_C.id).where(_C.kind == "topic", VISIBLE, _title_has(search)).limit(FEW + 1)
    ids = list(connection.scalars(query))
    return ids if len(ids) <= FEW else None


def _title_has(search: str) -> ColumnElement[bool]:
    return _C.title_normal.contains(normal(search), autoescape=True)


def _conditions(connection: Connection, wanted: Wanted, found: list[str] | None) -> list[ColumnElement[bool]]:
    """The rarest filter leads if few have it; the others are asked of each row that comes up."""
    sizes = {name: _size_of_facet(connection, name, value) for name, value in wanted.facets.items()}
    if wanted.status:
        sizes["status"] = _size_of_status(connection, wanted.status)
    if found is not None:
        sizes["search"] = len(found)
    rarest = min(sizes, key=lambda name: sizes[name], default="")
    leader = rarest if sizes and sizes[rarest] <= FEW else None
    by_order = leader in {None, "status"}
    where = [(_C.kind if by_order else _past_indexes(_C.kind)) == "topic", VISIBLE]
    if wanted.status:
        by_status = leader == "status" or (leader is None and wanted.sort_by in {"created_at", "status"})
        where.append((_C.status if by_status else _past_indexes(_C.status)) == wanted.status)
    where += [_has_facet(name, value, leads=leader == name) for name, value in wanted.facets.items()]
    if wanted.search is not None:
        where.append(_C.id.in_(found) if found is not None and leader == "search" else _title_has(wanted.search))
    return where


def _past_indexes(column: ColumnElement[str]) -> ColumnElement[str]:
    """SQLite does not know how many rows have a value, so it is told which index not to go by."""
    return column.concat("")


def _has_facet(name: str, value: str, *, leads: bool) -> ColumnElement[bool]:
    of_facet = and_(facets.c.facet == name, facets.c.value == value)
    if leads:
        return _C.id.in_(select(facets.c.id).where(of_facet))
    return select(literal(1)).where(of_facet, facets.c.id == _C.id).exists()


def _size_of_facet(connection: Connection, name: str, value: str) -> int:
    c = facet_counts.c
    return _sum(connection, select(func.sum(c.submissions)).where(c.facet == name, c.value == value))


def _size_of_status(connection: Connection, status: str | None) -> int:
    """Of all where there is no status."""
    c = status_counts.c
    of = [c.kind == "topic"] + ([c.status == status] if status else [])
    return _sum(connection, select(func.sum(c.submissions)).where(*of))


def _sum(connection: Connection, query: Select[Any]) -> int:
    return int(connection.scalar(query) or 0)


def _beyond(order: tuple[ColumnElement[Any], ...], wanted: Wanted) -> list[ColumnElement[bool]]:
    if wanted.after is None:
        return []
    here = tuple_(*order)
    last = tuple_(*(literal(value, column.type) for value, column in zip(wanted.after, order, strict=True)))
    return [here > last if wanted.ascending else here < last]
