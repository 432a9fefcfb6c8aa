"""The queries: everything the routes read of the projection, each in one place. They compute nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, literal, or_, select, tuple_

from shared.db.engine import Database
from shared.db.tables import Moment, contents, dead_letters, positions, status_counts, submissions
from shared.events import normal
from shared.transport.base import Positions

COUNT_AT_MOST = 10_000
IDS_A_QUERY = 500
_VISIBLE = submissions.c.status != "removed"


@dataclass(frozen=True, slots=True)
class Found:
    """What judging a title needs to know."""

    id: str
    title: str | None
    status: str
    attempt: int
    legacy_id: int | None
    simulated: bool | None


_FOUND = [field.name for field in fields(Found)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which topics; `after`: (created_at, id) of the last one that was seen."""

    status: str | None = None
    search: str | None = None
    after: tuple[datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[RowMapping]
    total: int
    is_capped: bool


class ProjectionQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def _rows(self, query: Select[Any]) -> list[RowMapping]:
        return await self._database.run(lambda connection: list(connection.execute(query).mappings()))

    async def find(self, ids: set[str]) -> dict[str, Found]:
        """Submissions by their own id, or else by the id that their content's title would have; else removed ones."""
        c = submissions.c
        found: dict[str, Found] = {}
        wanted = sorted(ids)
        for at in range(0, len(wanted), IDS_A_QUERY):
            some = wanted[at : at + IDS_A_QUERY]
            query = select(*(c[name] for name in _FOUND), c.content_id).where(
                or_(c.id.in_(some), and_(c.content_id.in_(some), _VISIBLE))
            )
            rows = sorted(await self._rows(query), key=lambda row: str(row["id"]))
            hits = [(Found(*(row[name] for name in _FOUND)), row["content_id"]) for row in rows]
            own = {hit.id: hit for hit, _ in hits if hit.id in ids}
            by_content = {content_id: hit for hit, content_id in hits if content_id in ids}
            found |= own | by_content | {id_: hit for id_, hit in own.items() if hit.status != "removed"}
        return found

    async def topic(self, id_: str) -> RowMapping | None:
        """With its content; by id or by the number it had in the old system."""
        c = submissions.c
        query = select(submissions, contents.c.content).outerjoin(contents, contents.c.id == c.id)
        query = query.where(c.kind == "topic", _VISIBLE).limit(1)
        rows = await self._rows(query.where(c.id == id_))
        if not rows and id_.isdecimal() and len(id_) < 19:
            rows = await self._rows(query.where(c.legacy_id == int(id_)))
        return rows[0] if rows else None

    async def attempt_of(self, id_: str) -> tuple[int, str] | None:
        """(attempt, status), removed ones too."""
        rows = await self._rows(select(submissions.c.attempt, submissions.c.status).where(submissions.c.id == id_))
        return (rows[0]["attempt"], rows[0]["status"]) if rows else None

    async def topics(self, wanted: Wanted, *, limit: int, offset: int) -> Page:
        """Newest first, with content. Counting stops at 10,000 unless the counts know the answer."""
        c = submissions.c
        where = _conditions(wanted)
        here = [tuple_(c.created_at, c.id) < _place(*wanted.after)] if wanted.after else []
        query = (
            select(submissions, contents.c.content)
            .outerjoin(contents, contents.c.id == c.id)
            .where(*where, *here)
            .order_by(c.created_at.desc(), c.id.desc())
            .limit(limit)
            .offset(offset)
        )
        rows = await self._rows(query)
        if wanted.search is None:
            counts = await self.counts("topic")
            return Page(rows, counts.get(wanted.status, 0) if wanted.status else sum(counts.values()), False)
        some = select(c.id).where(*where).limit(COUNT_AT_MOST + 1).subquery()
        total = (await self._rows(select(func.count().label("n")).select_from(some)))[0]["n"]
        return Page(rows, min(total, COUNT_AT_MOST), total > COUNT_AT_MOST)

    async def counts(self, kind: str) -> dict[str, int]:
        """A sum over a few rows, however many submissions there are."""
        c = status_counts.c
        query = select(c.status, func.sum(c.submissions).label("n")).where(c.kind == kind).group_by(c.status)
        return {row["status"]: int(row["n"]) for row in await self._rows(query)}

    async def recent_failures(self, kind: str, limit: int) -> list[RowMapping]:
        c = submissions.c
        query = select(c.id, c.title, c.error_message, c.created_at, c.ended_at)
        return await self._rows(
            query.where(c.kind == kind, c.status == "failed").order_by(c.ended_at.desc()).limit(limit)
        )

    async def position(self) -> tuple[Mapping[int, Positions], datetime | None]:
        """By partition, and the time of the newest projected event."""
        rows = await self._rows(select(positions))
        times = [row["as_of"] for row in rows if row["as_of"]]
        return {row["partition"]: row["positions"] for row in rows}, max(times, default=None)

    async def dead_letters(self) -> int:
        return int((await self._rows(select(func.count().label("n")).select_from(dead_letters)))[0]["n"])


def _place(created_at: datetime, id_: str) -> ColumnElement[Any]:
    return tuple_(literal(created_at, Moment()), literal(id_))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    c = submissions.c
    where: list[ColumnElement[bool]] = [c.kind == "topic"]
    where.append(c.status == wanted.status if wanted.status else _VISIBLE)
    if wanted.search is not None:
        where.append(c.title_normal.contains(normal(wanted.search), autoescape=True))
    return where
