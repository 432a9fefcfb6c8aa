"""Which topics a list is of: each filter is asked of every row that comes up, but the one that leads is looked up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Text, and_, func, literal, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from shared.db.tables import facet_counts, facets, status_counts, submissions
from shared.events import Kind
from shared.ids import normal

FEW = 2_000  # titles that a search looks up; what more have is met soon enough
ALL = ""  # the filter that every topic has
SEARCH = "search"
STATUS = "status"
_C = submissions.c
_OTHER = facets.alias("other")  # beside the one that leads
_IS_OF_IT = facets.c.id == _C.id
_IS_OF_IT_TOO = and_(_OTHER.c.created_at == _C.created_at, _OTHER.c.id == _C.id)
VISIBLE = _C.status != literal_column("'removed'")  # in the words of the indexes, which have no others


@dataclass(frozen=True, slots=True)
class SubmissionQuery:
    """Which submissions, in which order. `facets`: value by name; `after`: what the order goes by, of the last one
    seen."""

    status: str | None = None
    search: str | None = None
    facets: Mapping[str, str] = field(default_factory=dict)
    sort_by: str = "created_at"
    ascending: bool = False
    after: tuple[Any, ...] | None = None
    kind: Kind = "topic"


@dataclass(frozen=True, slots=True)
class Matches:
    """How many topics have each filter by itself, and ALL; `found`: the ids that a search found, if they are few."""

    sizes: Mapping[str, int]
    found: list[str] | None

    def leader(self, wanted: SubmissionQuery, rows: int) -> str | None:
        """The rarest filter, unless walking the order's index reads fewer rows until so many match.

        Facets are in the order of creation themselves, so in that order the rarest of them is walked.
        """
        rarest = min(self.sizes, key=self.sizes.__getitem__)
        if rarest != ALL and self.sizes[rarest] ** 2 <= rows * self.sizes[ALL]:
            return rarest
        return min(wanted.facets, key=self.sizes.__getitem__, default=None) if wanted.sort_by == "created_at" else None


def matches_of(connection: Connection, wanted: SubmissionQuery) -> Matches:
    """From counts that are kept; a search reads the index of titles."""
    found = _found(connection, wanted.kind, wanted.search) if wanted.search is not None else None
    sizes = {ALL: _size_of_status(connection, wanted.kind)}
    sizes |= {name: _size_of_facet(connection, name, value) for name, value in wanted.facets.items()}
    if wanted.status:
        sizes[STATUS] = _size_of_status(connection, wanted.kind, wanted.status)
    if found is not None:
        sizes[SEARCH] = len(found)
    return Matches(sizes, found)


def asked_of_each_row(has: Select[Any]) -> Select[Any]:
    """PostgreSQL would make a join of it and take its result for one row, then sort thousands for a page of 20."""
    return has.limit(1).offset(0)


def filtered(
    query: Select[Any],
    wanted: SubmissionQuery,
    found: list[str] | None,
    leader: str | None,
    beside: Callable[[Select[Any]], Select[Any]] = lambda has: has,
) -> Select[Any]:
    """A query on submissions, or joined to them. `beside`: how it is asked for facets beside the leader."""
    if leader and leader in wanted.facets:
        query = query.join(facets, and_(_IS_OF_IT, _is_facet(leader, wanted.facets[leader])))
    by_index = leader is None or leader == STATUS
    query = query.where((_C.kind if by_index else _past_indexes(_C.kind)) == wanted.kind, VISIBLE)
    if wanted.status:
        by_index = leader == STATUS or (leader is None and wanted.sort_by in {"created_at", "status"})
        query = query.where((_C.status if by_index else _past_indexes(_C.status)) == wanted.status)
    for name in wanted.facets.keys() - {leader}:
        has = select(literal(1)).select_from(_OTHER).where(_is_facet(name, wanted.facets[name], _OTHER), _IS_OF_IT_TOO)
        query = query.where(beside(has.correlate(submissions)).exists())
    if wanted.search is not None:
        leads = leader == SEARCH and found is not None
        query = query.where(_C.id.in_(found or []) if leads else _title_has(wanted.search))
    return query


class _past_indexes(FunctionElement[str]):
    """The column. SQLite does not know how many rows have a value, so it is told which index not to go by."""

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


def _title_has(search: str) -> ColumnElement[bool]:
    return _C.title_normal.contains(normal(search), autoescape=True)


def _found(connection: Connection, kind: Kind, search: str) -> list[str] | None:
    query = select(_C.id).where(_C.kind == kind, VISIBLE, _title_has(search)).limit(FEW + 1)
    ids = list(connection.scalars(query))
    return ids if len(ids) <= FEW else None


def _size_of_facet(connection: Connection, name: str, value: str) -> int:
    c = facet_counts.c
    return int(connection.scalar(select(func.sum(c.submissions)).where(c.facet == name, c.value == value)) or 0)


def _size_of_status(connection: Connection, kind: Kind, status: str | None = None) -> int:
    """Of all where there is no status."""
    c = status_counts.c
    of = [c.kind == kind] + ([c.status == status] if status else [])
    return int(connection.scalar(select(func.sum(c.submissions)).where(*of)) or 0)
