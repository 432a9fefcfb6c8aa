"""The queries: everything the routes read of the projection, each in one place. They compute nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, func, literal, literal_column, or_, select, tuple_

from api import topic_pages
from api.topic_pages import VISIBLE, Total, Wanted
from shared.db.engine import Database
from shared.db.tables import (
    Moment,
    contents,
    dead_letters,
    facet_counts,
    history,
    positions,
    status_counts,
    submissions,
    usage,
)
from shared.transport.base import Positions

IDS_A_QUERY = 500
MOST_OPTIONS = 1_000  # values of one facet, the most used ones
_FAILED = submissions.c.status == literal_column("'failed'")  # in the words of its index


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
class Page:
    rows: list[RowMapping]
    total: Total


@dataclass(frozen=True, slots=True)
class Stats:
    """`counts` by status; of `timed` completed ones it is known that they took `milliseconds` together; `facets`: how
    many topics by facet and value."""

    counts: Mapping[str, int]
    timed: int
    milliseconds: int
    facets: Mapping[str, Mapping[str, int]]


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
                or_(c.id.in_(some), and_(c.content_id.in_(some), VISIBLE))
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
        query = query.where(c.kind == "topic", VISIBLE).limit(1)
        rows = await self._rows(query.where(c.id == id_))
        if not rows and id_.isdecimal() and len(id_) < 19:
            rows = await self._rows(query.where(c.legacy_id == int(id_)))
        return rows[0] if rows else None

    async def attempt_of(self, id_: str) -> tuple[int, str] | None:
        """(attempt, status), removed ones too."""
        rows = await self._rows(select(submissions.c.attempt, submissions.c.status).where(submissions.c.id == id_))
        return (rows[0]["attempt"], rows[0]["status"]) if rows else None

    async def history(self, id_: str, limit: int) -> list[RowMapping]:
        """The newest events of a submission, with what was paid for in each."""
        h, u = history.c, usage.c
        paid = and_(u.id == h.id, u.run == h.run, u.time == h.time)
        query = (
            select(
                *(h.event, h.attempt, h.time, h.run, h.worker, h.error),
                func.max(u.model).label("model"),
                *(func.sum(column).label(column.name) for column in (u.tokens_in, u.tokens_out, u.cost)),
            )
            .outerjoin(usage, paid)
            .where(h.id == id_)
            .group_by(h.event_id, *(h.event, h.attempt, h.time, h.run, h.worker, h.error))
            .order_by(h.time.desc(), h.attempt.desc(), h.event_id)
            .limit(limit)
        )
        return await self._rows(query)

    async def topics(self, wanted: Wanted, *, limit: int, offset: int = 0, total: Total | None = None) -> Page:
        """Rows and total are of one moment. `total`: as it was counted when this walk began."""

        def read(connection: Connection) -> Page:
            rows = topic_pages.page(connection, wanted, limit=limit, offset=offset)
            return Page(rows, total or topic_pages.total(connection, wanted))

        return await self._database.run(read)

    async def counts(self, kind: str) -> dict[str, int]:
        """A sum over a few rows, however many submissions there are."""
        c = status_counts.c
        query = select(c.status, func.sum(c.submissions).label("n")).where(c.kind == kind).group_by(c.status)
        return {row["status"]: int(row["n"]) for row in await self._rows(query)}

    async def stats(self, *facets: str) -> Stats:
        """Of topics, by these facets."""
        c, f = status_counts.c, facet_counts.c
        numbers = [func.sum(column) for column in (c.submissions, c.timed, c.milliseconds)]
        by_status = select(c.status, *numbers).where(c.kind == "topic").group_by(c.status)
        by_facet = select(f.facet, f.value, func.sum(f.submissions)).where(f.facet.in_(facets))

        def read(connection: Connection) -> Stats:
            rows = connection.execute(by_status).all()
            found: dict[str, dict[str, int]] = {facet: {} for facet in facets}
            for facet, value, n in connection.execute(by_facet.group_by(f.facet, f.value).order_by(f.value)):
                if n:
                    found[facet][value] = int(n)
            counts = {status: int(n) for status, n, *_ in rows}
            return Stats(counts, int(sum(row[2] for row in rows)), int(sum(row[3] for row in rows)), found)

        return await self._database.run(read)

    async def facet_values(self) -> dict[str, list[str]]:
        """By facet, in the order of the alphabet; of one that has very many, the most used ones."""
        f = facet_counts.c
        sums = select(f.facet, f.value, func.sum(f.submissions).label("n")).group_by(f.facet, f.value).subquery()
        place = func.row_number().over(partition_by=sums.c.facet, order_by=(sums.c.n.desc(), sums.c.value))
        placed = select(sums.c.facet, sums.c.value, place.label("place")).where(sums.c.n > 0).subquery()
        found: dict[str, list[str]] = {}
        query = select(placed.c.facet, placed.c.value).where(placed.c.place <= MOST_OPTIONS).order_by(placed.c.value)
        for row in await self._rows(query):
            found.setdefault(row["facet"], []).append(row["value"])
        return found

    async def recent_failures(self, kind: str, limit: int) -> list[RowMapping]:
        c = submissions.c
        query = select(c.id, c.title, c.error_message, c.created_at, c.ended_at)
        return await self._rows(
            query.where(c.kind == kind, _FAILED).order_by(c.ended_at.desc(), c.id.desc()).limit(limit)
        )

    async def failed_topics(
        self, until: datetime, after: tuple[datetime, str] | None, limit: int, error_contains: str | None = None
    ) -> Sequence[RowMapping]:
        """Those that failed up to then, the oldest first; `after`: when the last one seen had ended, and its id."""
        c = submissions.c
        query = select(c.id, c.title, c.attempt, c.ended_at).where(c.kind == "topic", _FAILED, c.ended_at <= until)
        if after:
            query = query.where(tuple_(c.ended_at, c.id) > tuple_(literal(after[0], Moment()), literal(after[1])))
        if error_contains is not None:
            query = query.where(c.error_message.icontains(error_contains, autoescape=True))
        return await self._rows(query.order_by(c.ended_at, c.id).limit(limit))

    async def position(self) -> tuple[Mapping[int, Positions], datetime | None]:
        """By partition, and the time of the newest projected event."""
        rows = await self._rows(select(positions))
        times = [row["as_of"] for row in rows if row["as_of"]]
        return {row["partition"]: row["positions"] for row in rows}, max(times, default=None)

    async def dead_letters(self) -> int:
        return int((await self._rows(select(func.count().label("n")).select_from(dead_letters)))[0]["n"])
