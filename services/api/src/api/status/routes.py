"""Status routes: counts, workers, failures; at constant cost."""

import asyncio
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api.access.scopes import require_scope
from api.dependencies import Dismissals, Projection, Workers
from api.projection.repository import ProjectionQueries
from api.worker_registry import LiveWorker, WorkerRegistry
from shared.events import WaitingFor
from shared.status import STATUSES
from shared.streams import TOPIC_WORKER

router = APIRouter()
SHOWN_FAILURES = 10


class Failure(BaseModel):
    id: str
    title: str | None
    error_message: str | None
    created_at: datetime | None


class ProcessingStatus(BaseModel):
    is_processing: bool
    pending_count: int
    processing_count: int
    completed_count: int
    failed_count: int
    total_count: int
    recent_failures: list[Failure]
    show_status: bool
    waiting_for: WaitingFor | None
    simulated: bool | None
    as_of: datetime | None
    projection_lag_seconds: float | None


class WorkerStatus(BaseModel):
    worker_running: bool
    pending_topics: int
    processing_topics: int
    message: str
    workers: list[LiveWorker]
    waiting_for: WaitingFor | None
    simulated: bool | None


class Summary(BaseModel):
    success: Literal[True] = True
    summary: dict[str, int]
    simulated: bool | None


class Stats(BaseModel):
    total_topics: int
    completed: int
    failed: int
    success_rate: float  # per cent of ended topics
    average_seconds: float
    by_category: dict[str, int]
    by_complexity: dict[str, int]
    simulated: bool | None


class Dismissed(BaseModel):
    success: Literal[True] = True
    message: str


@router.get("/processing-status", dependencies=[require_scope("read")])
async def processing_status(projection: Projection, workers: Workers, dismissals: Dismissals) -> ProcessingStatus:
    """Topics by status, and the most recent failures."""
    age = await projection.freshness()
    counts, failures, seen_up_to = await asyncio.gather(
        _counts(projection), projection.recent_failures("topic", SHOWN_FAILURES), dismissals.up_to()
    )
    is_processing = counts["pending"] + counts["processing"] > 0
    has_unseen_failure = any(seen_up_to is None or row["ended_at"] > seen_up_to for row in failures)
    return ProcessingStatus(
        is_processing=is_processing,
        pending_count=counts["pending"],
        processing_count=counts["processing"],
        completed_count=counts["completed"],
        failed_count=counts["failed"],
        total_count=sum(counts.values()),
        recent_failures=[Failure.model_validate(dict(row)) for row in failures],
        show_status=is_processing or has_unseen_failure,
        waiting_for=workers.waiting_for(),
        simulated=workers.simulated(),
        **age,
    )


@router.post("/processing-status/seen", dependencies=[require_scope("submit")])
async def mark_failures_seen(projection: Projection, dismissals: Dismissals) -> Dismissed:
    """Mark all failures so far as seen: they no longer make `show_status` true."""
    failures = await projection.recent_failures("topic", 1)
    if failures:
        await dismissals.mark(failures[0]["ended_at"])
    return Dismissed(message="all failures so far are marked as seen")


@router.get("/worker-status", dependencies=[require_scope("read")])
async def worker_status(projection: Projection, workers: Workers) -> WorkerStatus:
    """The live topic-workers. `worker_running`: at least one is alive, busy or idle."""
    counts = await _counts(projection)
    live = workers.live(TOPIC_WORKER)
    return WorkerStatus(
        worker_running=bool(live),
        pending_topics=counts["pending"],
        processing_topics=counts["processing"],
        message=_message(workers, counts, len(live)),
        workers=list(map(LiveWorker.of, live)),
        waiting_for=workers.waiting_for(),
        simulated=workers.simulated(),
    )


@router.get("/topic-status-summary", dependencies=[require_scope("read")])
async def topic_status_summary(projection: Projection, workers: Workers) -> Summary:
    """The number of topics in each status."""
    return Summary(summary=await _counts(projection), simulated=workers.simulated())


@router.get("/stats", dependencies=[require_scope("read")])
async def stats(projection: Projection, workers: Workers) -> Stats:
    """Statistics of the existing topics. `average_seconds`: from start to completion; 0 if none is completed."""
    statistics = await projection.stats("category", "complexity")
    counts = {status: statistics.counts.get(status, 0) for status in STATUSES}
    ended = counts["completed"] + counts["failed"]
    return Stats(
        total_topics=sum(counts.values()),
        completed=counts["completed"],
        failed=counts["failed"],
        success_rate=round(100 * counts["completed"] / ended, 2) if ended else 0.0,
        average_seconds=round(statistics.milliseconds / 1000 / statistics.timed, 3) if statistics.timed else 0.0,
        by_category=dict(statistics.facets["category"]),
        by_complexity=dict(statistics.facets["complexity"]),
        simulated=workers.simulated(),
    )


async def _counts(projection: ProjectionQueries) -> dict[str, int]:
    counts: dict[str, Any] = await projection.counts("topic")
    return {status: counts.get(status, 0) for status in STATUSES}


def _message(workers: WorkerRegistry, counts: dict[str, int], live: int) -> str:
    waits = counts["pending"] + counts["processing"]
    if not workers.is_current:
        return "unknown: no heartbeats arrive; the broker may be unreachable"
    if not live:
        return f"no topic-worker is running; {waits} topics are waiting"
    if waiting_for := workers.waiting_for():
        return f"waiting: {waiting_for.reason}"
    who = "1 topic-worker is" if live == 1 else f"{live} topic-workers are"
    return f"{who} running; {waits} topics in progress" if waits else f"{who} running and idle"
