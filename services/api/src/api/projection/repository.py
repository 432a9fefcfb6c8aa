"""Everything the routes read of the projection, each by one query. They compute nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select

from api.coalesce import Coalescer
from api.projection import queries
from api.projection.filters import SubmissionQuery
from api.projection.pages import Total, read_page
from shared.db.engine import Database
from shared.events import Kind
from shared.messaging.broker import Positions

IDS_A_QUERY = 500


@dataclass(frozen=True, slots=True)
class KnownSubmission:
    """What judging a title or a URN needs to know."""

    id: str
    title: str | None
    status: str
    attempt: int
    legacy_id: int | None
    simulated: bool | None
    input_hash: str | None = None
    ended_at: datetime | None = None


_FOUND = [field.name for field in fields(KnownSubmission)]


@dataclass(frozen=True, slots=True)
class ProjectedPage:
    rows: list[RowMapping]
    total: Total


@dataclass(frozen=True, slots=True)
class ProjectedStats:
    """`counts` by status; of `timed` completed ones it is known that they took `milliseconds` together; `facets`: how
    many topics by facet and value."""

    counts: Mapping[str, int]
    timed: int
    milliseconds: int
    facets: Mapping[str, Mapping[str, int]]


class ProjectionQueries:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._finding = Coalescer(self._find)

    async def _rows(self, query: Select[Any], **values: object) -> list[RowMapping]:
        return await self._database.run(lambda connection: list(connection.execute(query, values).mappings()))

    async def find(self, ids: set[str]) -> Mapping[str, KnownSubmission]:
        """Submissions by their own id, or else by the id that their content's title would have; else removed ones.

        What others asked for in the same moment may be among them.
        """
        return await self._finding.ask(ids)

    async def _find(self, asked: Sequence[set[str]]) -> dict[str, KnownSubmission]:
        found: dict[str, KnownSubmission] = {}
        ids = set[str]().union(*asked)
        wanted = sorted(ids)
        for at in range(0, len(wanted), IDS_A_QUERY):
            rows = await self._rows(queries.FIND, ids=wanted[at : at + IDS_A_QUERY])
            hits = [(KnownSubmission(**{name: row[name] for name in _FOUND}), row["content_id"]) for row in rows]
            hits.sort(key=lambda hit: hit[0].id)
            own = {hit.id: hit for hit, _ in hits if hit.id in ids}
            by_content = {content_id: hit for hit, content_id in hits if content_id in ids}
            found |= own | by_content | {id_: hit for id_, hit in own.items() if hit.status != "removed"}
        return found

    async def submission(self, kind: Kind, id_: str) -> RowMapping | None:
        """With its content; by id or by the number it had in the old system."""
        if "\0" in id_:  # PostgreSQL does not even look for it
            return None
        rows = await self._rows(queries.SUBMISSION, kind=kind, id=id_)
        if not rows and id_.isdecimal() and len(id_) < 19:
            rows = await self._rows(queries.SUBMISSION_BY_LEGACY_ID, kind=kind, legacy_id=int(id_))
        return rows[0] if rows else None

    async def attempt_of(self, id_: str) -> tuple[int, str] | None:
        """(attempt, status), removed ones too."""
        rows = await self._rows(queries.ATTEMPT, id=id_)
        return (rows[0]["attempt"], rows[0]["status"]) if rows else None

    async def history(self, id_: str, limit: int) -> list[RowMapping]:
        """The newest events of a submission, with what was paid for in each."""
        return await self._rows(queries.HISTORY, id=id_, limit=limit)

    async def page(
        self, wanted: SubmissionQuery, *, limit: int, offset: int = 0, total: Total | None = None
    ) -> ProjectedPage:
        """Rows and total are of one moment. `total`: as it was counted when this walk began."""

        def read(connection: Connection) -> ProjectedPage:
            return ProjectedPage(*read_page(connection, wanted, limit=limit, offset=offset, total=total))

        return await self._database.run(read)

    async def counts(self, kind: str) -> dict[str, int]:
        """A sum over a few rows, however many submissions there are."""
        return {row["status"]: int(row["n"]) for row in await self._rows(queries.COUNTS, kind=kind)}

    async def ends(self, kind: str) -> dict[str, int]:
        """How many attempts workers processed, failed and skipped, ever."""
        return {row["ended"]: int(row["n"]) for row in await self._rows(queries.ENDS, kind=kind)}

    async def stats(self, *facets: str) -> ProjectedStats:
        """Of topics, by these facets."""

        def read(connection: Connection) -> ProjectedStats:
            by_status = connection.execute(queries.SUMS_BY_STATUS, {"kind": "topic"}).all()
            by_facet: dict[str, dict[str, int]] = {facet: {} for facet in facets}
            for facet, value, n in connection.execute(queries.SUMS_BY_FACET, {"facets": facets}):
                by_facet[facet][value] = int(n)
            counts = {status: int(n) for status, n, *_ in by_status}
            timed, milliseconds = (int(sum(row[place] for row in by_status)) for place in (2, 3))
            return ProjectedStats(counts, timed, milliseconds, by_facet)

        return await self._database.run(read)

    async def usage(self, since: str) -> list[RowMapping]:
        """What was paid from that day on, by day, kind, model and whether it was wasted."""
        return await self._rows(queries.USAGE, since=since)

    async def facet_values(self, facets: Sequence[str]) -> dict[str, list[str]]:
        """By facet, in the order of the alphabet; of one that has very many, the most used ones."""

        def read(connection: Connection) -> dict[str, list[str]]:
            return {facet: sorted(connection.scalars(queries.VALUES_OF_FACET, {"facet": facet})) for facet in facets}

        return await self._database.run(read)

    async def recent_failures(self, kind: str, limit: int) -> list[RowMapping]:
        return await self._rows(queries.RECENT_FAILURES, kind=kind, limit=limit)

    async def failed_topics(
        self, until: datetime, after: tuple[datetime, str] | None, limit: int, error_contains: str | None = None
    ) -> Sequence[RowMapping]:
        """Those that failed up to then, the oldest first; `after`: when the last one seen had ended, and its id."""
        query = queries.FAILED_TOPICS
        if after:
            query = queries.failed_topics_after(query, *after)
        if error_contains is not None:
            query = queries.whose_error_has(query, error_contains)
        return await self._rows(query, until=until, limit=limit)

    async def position(self) -> tuple[Mapping[int, Positions], datetime | None]:
        """By partition, and the time of the newest projected event."""
        rows = await self._rows(queries.POSITIONS)
        times = [row["as_of"] for row in rows if row["as_of"]]
        return {row["partition"]: row["positions"] for row in rows}, max(times, default=None)

    async def dead_letters(self) -> int:
        return int((await self._rows(queries.DEAD_LETTERS))[0]["n"])
