"""/live: the process responds. /ready: it can accept submissions and read status. /health: the system's state.
/metrics: for Prometheus."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from api.access.admission import MEMORY_LIMIT, BackPressure
from api.access.scopes import require_scope
from api.articles.worker import article_worker
from api.dependencies import Admission, Enriches, Projection, Publishing, Workers
from api.monitoring.system_metrics import read_system_gauges
from api.projection.repository import ProjectionQueries
from api.publisher import EventPublisher
from shared import __version__
from shared.db.engine import DatabaseUnreachable
from shared.errors import BrokerUnreachable, PositionsLost
from shared.observability import metrics
from shared.observability.prometheus import exposition
from shared.streams import PROJECTOR, TOPIC_WORKER

router = APIRouter()
PATIENCE = 2.0  # seconds; timeout per dependency


@router.get("/live")
async def live() -> dict[str, str]:
    """Liveness: the process responds."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(projection: Projection, publisher: Publishing, admission: Admission) -> JSONResponse:
    """Readiness: broker and database respond; otherwise 503."""
    dependencies = await _dependencies(projection, publisher, admission)
    is_ready = all(what["status"] == "ok" for what in dependencies.values())
    return JSONResponse({"status": "ok" if is_ready else "unavailable", **dependencies}, 200 if is_ready else 503)


@router.get("/health", dependencies=[require_scope("read")])
async def health(
    projection: Projection, publisher: Publishing, workers: Workers, admission: Admission, enriches: Enriches
) -> dict[str, Any]:
    """The state of the system; always 200. `status`: ok, degraded (no worker, no projector, or no room for work) or
    unavailable. `problems`: non-fatal, for an operator to fix: a model that is retired or has no known price."""
    dependencies = await _dependencies(projection, publisher, admission)
    load, full = admission.load, admission.full()
    topic_workers, projectors = workers.live(TOPIC_WORKER), workers.live(PROJECTOR)
    status = "ok" if topic_workers and projectors and not full else "degraded"
    if any(what["status"] != "ok" for what in dependencies.values()):
        status = "unavailable"
    answer: dict[str, Any] = {
        "status": status,
        "version": __version__,
        "simulated": workers.simulated(),
        **dependencies,
        "topic_workers": len(topic_workers),
        "projectors": len(projectors),
        "waiting_for": workers.waiting_for(),
        "problems": [problem.model_dump() for problem in workers.problems()],
        "no_room": full,
        "limits": {"memory_share": MEMORY_LIMIT, "backlog": admission.max_backlog},
    }
    if load:
        answer |= {"memory_share": load.memory_share, "lag": load.groups}
    if status != "unavailable":
        with suppress(BrokerUnreachable, DatabaseUnreachable, PositionsLost):  # lost since the check above
            answer |= await projection.freshness()
            answer["dead_letters"] = await projection.dead_letters()
            if enriches:
                answer["worker"] = await article_worker(projection, workers)
    return answer


@router.get("/metrics", response_class=PlainTextResponse, dependencies=[require_scope("read")])
async def scrape(request: Request, projection: Projection, workers: Workers, admission: Admission) -> Response:
    """Metrics in the Prometheus text format, or OpenMetrics if the client requests it."""
    await read_system_gauges(projection, workers, admission.load)
    body, content_type = exposition(metrics.API, request.headers.get("accept", ""))
    return Response(body, media_type=content_type)


async def _dependencies(
    projection: ProjectionQueries, publisher: EventPublisher, back_pressure: BackPressure
) -> dict[str, dict[str, str]]:
    broker, database = await asyncio.gather(
        _answers(_reached(publisher, back_pressure)),
        _answers(projection.counts("topic")),
    )
    return {"broker": broker, "database": database}


async def _reached(publisher: EventPublisher, back_pressure: BackPressure) -> None:
    publisher.require_provisioned()
    await back_pressure.poll()


async def _answers(call: Awaitable[Any]) -> dict[str, str]:
    try:
        await asyncio.wait_for(call, PATIENCE)
    except TimeoutError:
        return {"status": "unavailable", "detail": f"no answer within {PATIENCE:.0f} s"}
    except (BrokerUnreachable, DatabaseUnreachable, PositionsLost) as error:
        return {"status": "unavailable", "detail": str(error)}
    return {"status": "ok"}
