"""All reads of the projection by the routes, one query each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select

from api.coalesce import Coalescer
from api.projection import queries
from api.projection.change_cursor import ChangeCursor
from api.projection.changes import Changes, Interest, read_beginning, read_changes
from api.projection.filters import SubmissionQuery
from api.projection.freshness import freshness, wait_until_current
from api.projection.pages import Page, Total, read_page
from shared.db.engine import Database
from shared.events import Kind
from shared.messaging.broker import Positions, StreamInspector

IDS_A_QUERY = 500


@dataclass(frozen=True, slots=True)
class KnownSubmission:
    """The state of a submission, as the submit and import rules need it."""

    id: str
    name: str | None
    status: str
    attempt: int
    legacy_id: int | None
    simulated: bool | None
    input_hash: str | None = None
    ended_at: datetime | None = None


_KNOWN_FIELDS = [field.name for field in fields(KnownSubmission)]


@dataclass(frozen=True, slots=True)
class ProjectedStats:
    """`counts`: by status; `milliseconds`: total of the `timed` completed topics; `facets`: topics by facet and
    value."""

    counts: Mapping[str, int]
    timed: int
    milliseconds: int
    facets: Mapping[str, Mapping[str, int]]


class ProjectionQueries:
    def __init__(self, database: Database, inspector: StreamInspector) -> None:
        """`inspector`: of the streams, to tell how current the projection is."""
        self._database = database
        self._inspector = inspector
        self._finding = Coalescer(self._find)

    async def _rows(self, query: Select[Any], **values: object) -> list[RowMapping]:
        return await self._database.run(lambda connection: list(connection.execute(query, values).mappings()))

    async def find(self, ids: set[str]) -> Mapping[str, KnownSubmission]:
        """Submissions by their own id, else by the id derived from their content's title; else removed ones.

        May include results of concurrent calls.
        """
        return await self._finding.ask(ids)

    async def _find(self, requested: Sequence[set[str]]) -> dict[str, KnownSubmission]:
        submissions: dict[str, KnownSubmission] = {}
        ids = set[str]().union(*requested)
        ordered = sorted(ids)
        for at in range(0, len(ordered), IDS_A_QUERY):
            rows = await self._rows(queries.FIND, ids=ordered[at : at + IDS_A_QUERY])
            hits = [(KnownSubmission(**{name: row[name] for name in _KNOWN_FIELDS}), row["content_id"]) for row in rows]
            hits.sort(key=lambda hit: hit[0].id)
            own = {hit.id: hit for hit, _ in hits if hit.id in ids}
            by_content = {content_id: hit for hit, content_id in hits if content_id in ids}
            submissions |= own | by_content | {id_: hit for id_, hit in own.items() if hit.status != "removed"}
        return submissions

    async def submission(self, kind: Kind, id_: str) -> RowMapping | None:
        """With content; by id or legacy id."""
        if "\0" in id_:  # PostgreSQL rejects it
            return None
        rows = await self._rows(queries.SUBMISSION, kind=kind, id=id_)
        if not rows and _is_legacy_id(id_):
            rows = await self._rows(queries.SUBMISSION_BY_LEGACY_ID, kind=kind, legacy_id=int(id_))
        return rows[0] if rows else None

    async def topics(self, ids: Sequence[str]) -> dict[str, RowMapping]:
        """Existing topics by id or legacy id, as in `ids` and in that order; without content."""
        rows = {row["id"]: row for row in await self._rows(queries.TOPICS, ids=ids)}
        if legacy := [int(id_) for id_ in ids if id_ not in rows and _is_legacy_id(id_)]:
            by_number = await self._rows(queries.TOPICS_BY_LEGACY_ID, legacy_ids=legacy)
            rows |= {str(row["legacy_id"]): row for row in by_number}
        return {id_: rows[id_] for id_ in ids if id_ in rows}

    async def attempt_of(self, id_: str) -> tuple[int, str] | None:
        """(attempt, status), also of a removed submission."""
        rows = await self._rows(queries.ATTEMPT, id=id_)
        return (rows[0]["attempt"], rows[0]["status"]) if rows else None

    async def history(self, id_: str, limit: int) -> list[RowMapping]:
        """The newest events of a submission, with the cost of each."""
        return await self._rows(queries.HISTORY, id=id_, limit=limit)

    async def page(self, query: SubmissionQuery, *, limit: int, offset: int = 0, total: Total | None = None) -> Page:
        """Rows and total from one snapshot. `total`: as counted for the first page."""

        def read(connection: Connection) -> Page:
            return read_page(connection, query, limit=limit, offset=offset, total=total)

        return await self._database.run(read)

    async def counts(self, kind: str) -> dict[str, int]:
        """By status; sums a few rows, whatever the number of submissions."""
        return {row["status"]: int(row["n"]) for row in await self._rows(queries.COUNTS, kind=kind)}

    async def ends(self, kind: str) -> dict[str, int]:
        """All-time attempts by end: processed, failed, skipped."""
        return {row["ended"]: int(row["n"]) for row in await self._rows(queries.ENDS, kind=kind)}

    async def stats(self, *facets: str) -> ProjectedStats:
        """Statistics of topics, by these facets."""

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
        """Spend since that day, by day, kind, model and reason of waste."""
        return await self._rows(queries.USAGE, since=since)

    async def facet_values(self, facets: Sequence[str]) -> dict[str, list[str]]:
        """By facet, in alphabetical order; limited to the most used values."""

        def read(connection: Connection) -> dict[str, list[str]]:
            return {facet: sorted(connection.scalars(queries.VALUES_OF_FACET, {"facet": facet})) for facet in facets}

        return await self._database.run(read)

    async def recent_failures(self, kind: str, limit: int) -> list[RowMapping]:
        return await self._rows(queries.RECENT_FAILURES, kind=kind, limit=limit)

    async def failed_topics(
        self, until: datetime, after: tuple[datetime, str] | None, limit: int, error_contains: str | None = None
    ) -> Sequence[RowMapping]:
        """Topics that failed up to `until`, oldest first; `after`: end time and id of the last one seen."""
        query = queries.FAILED_TOPICS
        if after:
            query = queries.failed_topics_after(query, *after)
        if error_contains is not None:
            query = queries.whose_error_has(query, error_contains)
        return await self._rows(query, until=until, limit=limit)

    async def changes(
        self, since: ChangeCursor, ids: Collection[str], interests: Collection[Interest]
    ) -> Changes | None:
        """What changed after `since`, if anything. `ids`: of all listeners for some; `interests`: of the others."""
        return await self._database.run(lambda connection: read_changes(connection, since, ids, interests))

    async def beginning(self, since: ChangeCursor | None, interest: Interest) -> Changes:
        """The first answer to one listener: what it has missed after `since`, or else the state of its ids."""
        return await self._database.run(lambda connection: read_beginning(connection, since, interest))

    async def position(self) -> tuple[Mapping[int, Positions], datetime | None]:
        """Positions by partition, and the time of the newest projected event."""
        rows = await self._rows(queries.POSITIONS)
        times = [row["as_of"] for row in rows if row["as_of"]]
        return {row["partition"]: row["positions"] for row in rows}, max(times, default=None)

    async def freshness(self) -> dict[str, Any]:
        """The fields `as_of` and `projection_lag_seconds` of a response. Read it before the data."""
        return await freshness(self.position, self._inspector)

    async def wait_until_current(self) -> None:
        """Waits until everything stored so far is projected, one second at most."""
        await wait_until_current(self.position, self._inspector)

    async def dead_letters(self) -> int:
        return int((await self._rows(queries.DEAD_LETTERS))[0]["n"])


def _is_legacy_id(id_: str) -> bool:
    """A number of the old system, in a size that the databases store."""
    return id_.isdecimal() and len(id_) < 19
