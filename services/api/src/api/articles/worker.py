"""The article workers: counters of the group, live workers, pause and resume."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.access.callers import Caller
from api.access.scopes import require_scope
from api.dependencies import Enriches, Projection, Publishing, Workers
from api.projection.repository import ProjectionQueries
from api.submissions.commands import publish
from api.worker_registry import LiveWorker, WorkerRegistry
from shared.events import WaitingFor, WorkerPauseChanged
from shared.streams import ENRICHER

router = APIRouter()
OFF = "article enrichment is disabled: ENABLE_BACKGROUND_WORKER is not true"


class Disabled(BaseModel):
    enabled: Literal[False] = False
    message: str = OFF


class ArticleWorker(BaseModel):
    """The whole worker group, identical on every replica. `processed`, `failed`, `skipped`: attempts of all time;
    `started_at`, `uptime_seconds`: of the oldest live worker."""

    enabled: Literal[True] = True
    processed: int
    failed: int
    skipped: int
    started_at: datetime | None
    running: bool
    uptime_seconds: float | None
    paused: bool
    paused_by: str | None
    waiting_for: WaitingFor | None
    workers: list[LiveWorker]
    simulated: bool | None
    as_of: datetime | None
    projection_lag_seconds: float | None


class ToPause(BaseModel):
    model_config = ConfigDict(extra="forbid")

    paused: bool


class Paused(BaseModel):
    paused: bool
    at: datetime


@router.get("/worker/status", dependencies=[require_scope("read")])
async def article_worker_status(
    projection: Projection, workers: Workers, enriches: Enriches
) -> ArticleWorker | Disabled:
    """The article workers and their counters."""
    return await article_worker(projection, workers) if enriches else Disabled()


@router.post("/worker/pause", status_code=202)
async def pause_article_workers(
    body: ToPause, publisher: Publishing, caller: Annotated[Caller, require_scope("operate")]
) -> Paused:
    """Pause or resume all article workers, including those that start later. Running calls finish."""
    now = datetime.now(UTC)
    event = WorkerPauseChanged(service=ENRICHER, paused=body.paused, by=caller.name, at=now)
    await publish(publisher, [event])
    return Paused(paused=body.paused, at=now)


async def article_worker(projection: ProjectionQueries, workers: WorkerRegistry) -> ArticleWorker:
    age = await projection.freshness()
    ends = await projection.ends("article")
    live, pause = workers.live(ENRICHER), workers.pause_of(ENRICHER)
    started_at = min((seen.heartbeat.started_at for seen in live), default=None)
    return ArticleWorker(
        processed=ends.get("processed", 0),
        failed=ends.get("failed", 0),
        skipped=ends.get("skipped", 0),
        started_at=started_at,
        running=bool(live),
        uptime_seconds=round((datetime.now(UTC) - started_at).total_seconds(), 1) if started_at else None,
        paused=pause is not None,
        paused_by=pause and pause.by,
        waiting_for=workers.waiting_for(ENRICHER),
        workers=list(map(LiveWorker.of, live)),
        simulated=workers.simulated(ENRICHER),
        **age,
    )
