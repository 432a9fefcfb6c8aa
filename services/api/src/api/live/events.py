"""The events of a stream: their data, and how they are written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from fastapi.sse import format_sse_event
from pydantic import BaseModel
from sqlalchemy import RowMapping

from api.projection.change_cursor import ChangeCursor
from api.status.routes import ProcessingStatus
from api.submissions.read import waiting_for
from api.worker_registry import WorkerRegistry
from shared.events import Kind, WaitingFor
from shared.status import STATUSES, Status
from shared.streams import ENRICHER, TOPIC_WORKER

RECONNECT_AFTER = 1000  # milliseconds
SERVICES: Mapping[Kind, str] = {"topic": TOPIC_WORKER, "article": ENRICHER, "scan": ENRICHER}


class ChangedSubmission(BaseModel):
    """`name`: title, URN or the name of a scan, null when it is removed. `at`: the time of its newest event."""

    id: str
    kind: Kind
    name: str | None
    status: Status | Literal["removed"]
    attempt: int
    at: datetime | None
    error_message: str | None
    waiting_for: WaitingFor | None


class KindCounts(BaseModel):
    """Submissions of one kind by status, and its workers. `waiting_for`: what all of them wait for."""

    pending_count: int
    processing_count: int
    completed_count: int
    failed_count: int
    total_count: int
    live_workers: int
    waiting_for: WaitingFor | None
    simulated: bool | None


class Counts(BaseModel):
    topics: KindCounts
    articles: KindCounts


class Snapshot(BaseModel):
    """`submissions`: of the ids that the stream is for, in so far as they are known."""

    processing_status: ProcessingStatus
    counts: Counts
    submissions: list[ChangedSubmission]


class Changed(BaseModel):
    submissions: list[ChangedSubmission]
    counts: Counts


class Resync(BaseModel):
    """More changed than one event carries: read what you show again. The stream goes on from there."""

    counts: Counts


@dataclass(frozen=True, slots=True)
class WorkersNow:
    """What heartbeats and pauses say, which changes without any event of a submission."""

    live: int
    waiting_for: WaitingFor | None
    simulated: bool | None

    @classmethod
    def of(cls, workers: WorkerRegistry) -> dict[Kind, Self]:
        return {
            kind: cls(len(workers.live(service)), workers.waiting_for(service), workers.simulated(service))
            for kind, service in SERVICES.items()
        }


def counts_of(counts: Mapping[Kind, Mapping[str, int]], workers: Mapping[Kind, WorkersNow]) -> Counts:
    """`counts`: by kind and status."""

    def of(kind: Kind) -> KindCounts:
        by_status = {status: counts.get(kind, {}).get(status, 0) for status in STATUSES}
        now = workers[kind]
        return KindCounts(
            **{f"{status}_count": n for status, n in by_status.items()},
            total_count=sum(by_status.values()),
            live_workers=now.live,
            waiting_for=now.waiting_for,
            simulated=now.simulated,
        )

    return Counts(topics=of("topic"), articles=of("article"))


def changed_submission(row: RowMapping, workers: Mapping[Kind, WorkersNow]) -> ChangedSubmission:
    return ChangedSubmission(
        id=row["id"],
        kind=row["kind"],
        name=row["name"],
        status=row["status"],
        attempt=row["attempt"],
        at=row["updated_at"],
        error_message=row["error_message"],
        waiting_for=waiting_for(row, workers[row["kind"]].waiting_for),
    )


def snapshot_frame(snapshot: Snapshot, cursor: ChangeCursor) -> bytes:
    return format_sse_event(
        event="snapshot", data_str=snapshot.model_dump_json(), id=str(cursor), retry=RECONNECT_AFTER
    )


def changes_frame(submissions: Iterable[str], counts: str, cursor: ChangeCursor | None) -> bytes:
    """`submissions`, `counts`: as JSON. Without a cursor nothing is passed by it."""
    data = f'{{"submissions":[{",".join(submissions)}],"counts":{counts}}}'
    return format_sse_event(event="changes", data_str=data, id=str(cursor) if cursor else None)


def resync_frame(counts: str, cursor: ChangeCursor) -> bytes:
    return format_sse_event(event="resync", data_str=f'{{"counts":{counts}}}', id=str(cursor))
