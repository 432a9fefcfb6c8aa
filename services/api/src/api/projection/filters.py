"""Filters of a list: the leading filter is looked up in an index, every other is checked per row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Text, and_, func, literal, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from shared.db.tables import facet_counts, facets, status_counts, submissions
from shared.events import Kind
from shared.ids import normal

FEW = 2_000  # names that a search looks up; a more common text is found soon by walking
ALL = ""  # the filter that matches every topic
SEARCH = "search"
STATUS = "status"
_C = submissions.c
_OTHER = facets.alias("other")  # besides the leading one
_IS_OF_IT = facets.c.id == _C.id
_IS_OF_IT_TOO = and_(_OTHER.c.created_at == _C.created_at, _OTHER.c.id == _C.id)
VISIBLE = _C.status != literal_column("'removed'")  # exactly as the condition of the partial indexes


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` on and before `end`; None: no bound."""

    start: datetime | None = None
    end: datetime | None = None

    def includes(self, column: ColumnElement[datetime]) -> list[ColumnElement[bool]]:
        return [*([column >= self.start] if self.start else ()), *([column < self.end] if self.end else ())]


ANY_TIME = TimeRange()


@dataclass(frozen=True, slots=True)
class SubmissionQuery:
    """Which submissions, in which order. `facets`: value by name; `after`: sort key of the last row seen.

    No index helps with the fields after `kind`, but with a range of the time that the list is sorted by.
    """

    status: str | None = None
    search: str | None = None
    facets: Mapping[str, str] = field(default_factory=dict)
    sort_by: str = "created_at"
    ascending: bool = False
    after: tuple[Any, ...] | None = None
    kind: Kind = "topic"
    created: TimeRange = ANY_TIME
    updated: TimeRange = ANY_TIME
    worker: str | None = None
    submitted_by: str | None = None
    error_contains: str | None = None
    simulated: bool | None = None


@dataclass(frozen=True, slots=True)
class Matches:
    """`sizes`: topics that match each filter alone, and ALL; `matching_ids`: of the search, if there are few."""

    sizes: Mapping[str, int]
    matching_ids: list[str] | None

    def leader(self, query: SubmissionQuery, rows: int) -> str | None:
        """The rarest filter, unless walking the sort order's index finds `rows` matches with fewer reads.

        Facets are indexed by creation time, so in that order the rarest facet is walked.
        """
        rarest = min(self.sizes, key=self.sizes.__getitem__)
        if rarest != ALL and self.sizes[rarest] ** 2 <= rows * self.sizes[ALL]:
            return rarest
        return min(query.facets, key=self.sizes.__getitem__, default=None) if query.sort_by == "created_at" else None


def matches_of(connection: Connection, query: SubmissionQuery) -> Matches:
    """From stored counts; a search reads the name index."""
    matching_ids = _matching_ids(connection, query.kind, query.search) if query.search is not None else None
    sizes = {ALL: _size_of_status(connection, query.kind)}
    sizes |= {name: _size_of_facet(connection, name, value) for name, value in query.facets.items()}
    if query.status:
        sizes[STATUS] = _size_of_status(connection, query.kind, query.status)
    if matching_ids is not None:
        sizes[SEARCH] = len(matching_ids)
    return Matches(sizes, matching_ids)


def asked_of_each_row(has: Select[Any]) -> Select[Any]:
    """Keeps PostgreSQL from planning a join: it estimates one row, then sorts thousands for a page of 20."""
    return has.limit(1).offset(0)


def filtered(
    statement: Select[Any],
    query: SubmissionQuery,
    matching_ids: list[str] | None,
    leader: str | None,
    beside: Callable[[Select[Any]], Select[Any]] = lambda has: has,
) -> Select[Any]:
    """Adds the filters to a statement on submissions. `beside`: wraps the subquery of each facet but the leader."""
    if leader and leader in query.facets:
        statement = statement.join(facets, and_(_IS_OF_IT, _is_facet(leader, query.facets[leader])))
    by_index = leader is None or leader == STATUS
    statement = statement.where((_C.kind if by_index else _past_indexes(_C.kind)) == query.kind, VISIBLE)
    if query.status:
        by_index = leader == STATUS or (leader is None and query.sort_by in {"created_at", "status"})
        statement = statement.where((_C.status if by_index else _past_indexes(_C.status)) == query.status)
    for name in query.facets.keys() - {leader}:
        has = select(literal(1)).select_from(_OTHER).where(_is_facet(name, query.facets[name], _OTHER), _IS_OF_IT_TOO)
        statement = statement.where(beside(has.correlate(submissions)).exists())
    if query.search is not None:
        leads = leader == SEARCH and matching_ids is not None
        statement = statement.where(_C.id.in_(matching_ids or []) if leads else _name_has(query.search))
    return statement


def in_range(query: SubmissionQuery, column: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """The conditions on the time that the list is sorted by, in the index of `column`; none for other columns."""
    ranges = {_C.created_at.name: query.created, _C.updated_at.name: query.updated}
    return ranges[column.name].includes(column) if column.name in ranges else []


def without_index(query: SubmissionQuery, sorted_by: str) -> list[ColumnElement[bool]]:
    """The conditions that are checked row by row. `sorted_by`: the first column of the order."""
    conditions: list[ColumnElement[bool]] = []
    for column, times in ((_C.created_at, query.created), (_C.updated_at, query.updated)):
        conditions += times.includes(column) if column.name != sorted_by else []
    for column, value in ((_C.worker, query.worker), (_C.submitted_by, query.submitted_by)):
        conditions += [column == value] if value is not None else []
    if query.error_contains is not None:
        conditions.append(_C.error_message.icontains(query.error_contains, autoescape=True))
    if query.simulated is not None:
        conditions.append(_C.simulated.is_(query.simulated))
    return conditions


class _past_indexes(FunctionElement[str]):
    """The column, excluded from index use in SQLite, which does not know how many rows have a value."""

    type = Text()
    inherit_cache = True


@compiles(_past_indexes)
def _by_any(element: _past_indexes, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_past_indexes, "sqlite")
def _by_none(element: _past_indexes, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def _is_facet(name: str, value: str, of: FromClause = facets) -> ColumnElement[bool]:
    return and_(of.c.facet == name, of.c.value == value)


def _name_has(search: str) -> ColumnElement[bool]:
    return _C.name_normal.contains(normal(search), autoescape=True)


def _matching_ids(connection: Connection, kind: Kind, search: str) -> list[str] | None:
    query = select(_C.id).where(_C.kind == kind, VISIBLE, _name_has(search)).limit(FEW + 1)
    ids = list(connection.scalars(query))
    return ids if len(ids) <= FEW else None


def _size_of_facet(connection: Connection, name: str, value: str) -> int:
    c = facet_counts.c
    return int(connection.scalar(select(func.sum(c.submissions)).where(c.facet == name, c.value == value)) or 0)


def _size_of_status(connection: Connection, kind: Kind, status: str | None = None) -> int:
    """With any status if `status` is None."""
    c = status_counts.c
    of = [c.kind == kind] + ([c.status == status] if status else [])
    return int(connection.scalar(select(func.sum(c.submissions)).where(*of)) or 0)
