"""Each read as a route and as the same query by hand: the limit of a read is SQLite alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import RowMapping, create_engine

from api.projection.cursor import cursor_after
from api.projection.filters import SubmissionQuery
from api.projection.pages import ORDERS, Total, read_page
from bench.figure import NO_AIM, Aim
from shared.db.tables import utc_text

PAGE_AIM = Aim(growth=2)
LIMIT = 20
CATEGORY, COMPANY, TAG = "category 3", "company 7", "tag 7"  # of all: a ninth, a 300th, a 1000th
_NEWEST = "created_at DESC, id DESC"
_PAGE = (
    "SELECT s.*, content FROM submissions s LEFT JOIN contents USING (id)"
    " WHERE {kind} = 'topic' AND status != 'removed'{where} ORDER BY {order} LIMIT 20"
)
_OF_ALL = "SELECT sum(submissions) FROM status_counts WHERE kind = 'topic'"
_OF_FACET = "SELECT sum(submissions) FROM facet_counts WHERE facet = ? AND value = ?"
_HAS_FACET = (
    " AND EXISTS (SELECT 1 FROM facets f"
    " WHERE f.facet = ? AND f.value = ? AND f.created_at = s.created_at AND f.id = s.id)"
)
_IS_ONE_OF = " AND s.id IN (SELECT id FROM facets WHERE facet = ? AND value = ?)"
_COUNTS = "SELECT status, sum(submissions), sum(timed), sum(milliseconds) FROM status_counts GROUP BY status"
Statement = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Read:
    """`baseline`: statements with the same result."""

    what: str
    path: str
    baseline: tuple[Statement, ...]
    aim: Aim = NO_AIM


def read_queries(database_url: str, rows: int) -> Iterator[Read]:
    """Of a projection of `many_topics.py`."""
    middle = {sort_by: _row_in_the_middle(database_url, sort_by, rows) for sort_by in ORDERS}
    yield from _single_reads(middle["created_at"]["id"])
    yield Read("page: the newest", _topics(), (_page(), (_OF_ALL, ())), PAGE_AIM)
    for sort_by, row in middle.items():
        yield _deep_page(sort_by, row)
    yield from _filtered_pages(f"hashing in practice {rows // 2}", middle["created_at"])


def _single_reads(id_: str) -> Iterator[Read]:
    failed = "SELECT id, name, error_message, created_at, ended_at FROM submissions WHERE kind = 'topic'"
    failed += " AND status = 'failed' ORDER BY ended_at DESC, id DESC LIMIT 10"
    one = "SELECT s.*, content FROM submissions s LEFT JOIN contents USING (id) WHERE s.id = ?"
    facets = "SELECT value, sum(submissions) FROM facet_counts WHERE facet IN ('category', 'complexity') GROUP BY value"
    values = "SELECT facet, value FROM facet_counts WHERE submissions > 0 ORDER BY value"
    position: Statement = ("SELECT * FROM positions", ())
    status = Aim(growth=1.2)
    yield Read("/processing-status", "/processing-status", ((_COUNTS, ()), (failed, ()), position), status)
    yield Read("/topics/{id}", f"/topics/{id_}", ((one, (id_,)), position), PAGE_AIM)
    yield Read("/stats", "/stats", ((_COUNTS, ()), (facets, ())))
    yield Read("/topics/filter-options", "/topics/filter-options", ((values, ()),))


def _deep_page(sort_by: str, row: RowMapping) -> Read:
    names = [column.name for column in ORDERS[sort_by]]
    place = [row[name] for name in names]
    after = tuple(utc_text(value) if isinstance(value, datetime) else value for value in place)
    where = f" AND ({', '.join(names)}) < ({', '.join('?' * len(names))})"
    page = _page(where, after, order=", ".join(f"{name} DESC" for name in names))
    cursor = cursor_after(SubmissionQuery(sort_by=sort_by), row, Total(0))
    return Read(f"page: from the middle, by {sort_by}", _topics(sort_by=sort_by, cursor=cursor), (page,), PAGE_AIM)


def _filtered_pages(rare_text: str, middle: RowMapping) -> Iterator[Read]:
    category = ("category", CATEGORY)
    baseline = (_page(_HAS_FACET, category), (_OF_FACET, category))
    yield Read("page: a category, of every 9th", _topics(category=CATEGORY), baseline, PAGE_AIM)
    for name, value, how_many in (("company", COMPANY, "300th"), ("tag", TAG, "1000th")):
        baseline = (_page(_IS_ONE_OF, (name, value), kind="+kind"), (_OF_FACET, (name, value)))
        yield Read(f"page: a {name}, of every {how_many}", _topics(**{name: value}), baseline, PAGE_AIM)
    both = (" AND status = 'completed'" + _HAS_FACET, category)
    path = _topics(status="completed", category=CATEGORY)
    yield Read("page: a category and a status, counted", path, (_page(*both), _counted(*both)))
    query = SubmissionQuery("completed", facets={"category": CATEGORY})
    path = _topics(status="completed", category=CATEGORY, cursor=cursor_after(query, middle, Total(0)))
    yield Read("page: the same, by cursor", path, (_page(*both),), PAGE_AIM)
    text = (" AND name_normal LIKE ?", (f"%{rare_text}%",))
    yield Read("page: a search that looks at all", _topics(search=rare_text), (_page(*text), _counted(*text)))


def _page(where: str = "", values: tuple[Any, ...] = (), *, order: str = _NEWEST, kind: str = "kind") -> Statement:
    """`kind`: "+kind" keeps SQLite from walking the index of the order."""
    return _PAGE.format(where=where, order=order, kind=kind), values


def _counted(where: str, values: tuple[Any, ...]) -> Statement:
    some = f"SELECT 1 FROM submissions s WHERE kind = 'topic' AND status != 'removed'{where} LIMIT 10001"
    return f"SELECT count(*) FROM ({some})", values


def _topics(**query: str) -> str:
    return f"/topics?{urlencode(query)}"


def _row_in_the_middle(database_url: str, sort_by: str, rows: int) -> RowMapping:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        [row] = read_page(connection, SubmissionQuery(sort_by=sort_by), limit=1, offset=rows // 2).rows
    engine.dispose()
    return row
