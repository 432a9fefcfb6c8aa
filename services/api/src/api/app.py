"""Builds the FastAPI app and its resources; starts even while the broker or the database is unreachable."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from api import problems
from api.access import idempotency
from api.access.admission import BackPressure
from api.access.api_keys import ApiKeys
from api.access.authentication import AccessRules, Authentication
from api.access.dismissed_failures import DismissedFailures
from api.access.idempotency import IdempotencyMiddleware
from api.access.idempotency_store import IdempotencyStore
from api.access.key_cache import KeyCache
from api.access.limits import LimitedBody, LimitedRate
from api.access.origins import allowing
from api.articles import read as read_articles
from api.articles import reprocess, scans
from api.articles import submit as submit_articles
from api.articles import worker as read_worker
from api.dependencies import Resources
from api.http_reads import EntityTags, HeadAsGet
from api.imports import articles as import_articles
from api.imports import topics as import_topics
from api.live import routes as live
from api.live.change_feed import ChangeFeed
from api.monitoring import health
from api.monitoring.request_telemetry import RequestTelemetry
from api.page import routes as page
from api.projection.repository import ProjectionQueries
from api.publisher import EventPublisher
from api.reference import routes as reference
from api.settings import ApiSettings
from api.status import routes as read_status
from api.status import usage as read_usage
from api.topics import bulk, read_list, read_one, retry_and_delete
from api.topics import submit as submit_topics
from api.worker_registry import WorkerRegistry
from shared import __version__
from shared.db.engine import DatabaseUnreachable, open_access, open_reader
from shared.db.migrate import reach_database
from shared.messaging import connect
from shared.messaging.broker import Transport
from shared.observability import tracing
from shared.resilience.backoff import until_it_answers
from shared.service.bootstrap import wait_until_ready
from shared.service.heartbeat import beat
from shared.service.sockets import listen

SERVICE = "api"
SMALLEST_COMPRESSED_BYTES, COMPRESSION_LEVEL = 2000, 3  # a page of 100 topics: an eighth of its size, in 1.3 ms
KEEP_ALIVE = 75  # seconds an idle connection is kept; clients and proxies mostly keep theirs for 5 or 60
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build(lifespan: Lifespan | None = None) -> FastAPI:
    """`lifespan` opens the app's resources; OpenAPI needs none."""
    app = FastAPI(
        lifespan=lifespan,
        title="topicflow",
        version=__version__,
        description="Submit topics and articles, and follow the status of each.",
        docs_url=None,  # FastAPI's page loads scripts from another host; ours is in reference/
        redoc_url=None,
        responses=problems.DOCUMENTED,
    )
    for inner_first in (EntityTags, IdempotencyMiddleware, LimitedBody, LimitedRate, Authentication):
        app.add_middleware(inner_first)
    problems.install(app)
    app.include_router(health.router, tags=["health"])
    app.include_router(reference.router)
    parts = (submit_topics, import_topics, bulk, retry_and_delete, read_list, read_one)
    for part in parts:  # in this order: /topics/filter-options is no id
        app.include_router(part.router, prefix="/api/v1", tags=["topics"])
    of_articles = (submit_articles, import_articles, reprocess, scans, read_articles, read_worker)
    for part in of_articles:  # in this order: /articles/scan is no URN
        app.include_router(part.router, prefix="/api/v1", tags=["articles"])
    for part in (read_status, read_usage, live):
        app.include_router(part.router, prefix="/api/v1", tags=["status"])
    app.include_router(page.router)
    idempotency.document(app)
    return app


async def main(settings: ApiSettings, instance: str) -> None:
    listening = listen(settings.host, settings.port, "TOPICFLOW_PORT")
    errors: list[Exception] = []

    def stop() -> None:
        server.should_exit = True

    def is_stopping() -> bool:
        return server.should_exit

    app = build(_lifespan(settings, instance, stop, is_stopping, errors))
    server = uvicorn.Server(
        uvicorn.Config(
            RequestTelemetry(allowing(_compressed(HeadAsGet(app)), settings.allowed_origins)),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=10,
        )
    )
    await server.serve([listening])
    if errors:
        raise errors[0]


def _compressed(app: ASGIApp) -> ASGIApp:
    return GZipMiddleware(app, minimum_size=SMALLEST_COMPRESSED_BYTES, compresslevel=COMPRESSION_LEVEL)


async def _connected(transport: Transport, resources: Resources, scan_interval: float) -> None:
    """Background work with the broker, until cancelled."""
    projection, publisher, workers = resources.projection, resources.publisher, resources.workers
    await wait_until_ready(transport)
    publisher.provisioned.set()
    await asyncio.gather(
        beat(transport, SERVICE, publisher.source),
        transport.follow_heartbeats(workers.on_heartbeat),
        transport.follow_control(workers.on_control_event, lambda: None),
        resources.back_pressure.poll_backlog(),
        *([scans.scan_for_ever(projection, publisher, scan_interval)] if resources.enriches else ()),
    )


@asynccontextmanager
async def _running(
    coroutines: Iterable[Coroutine[Any, Any, None]], stop: Callable[[], None], errors: list[Exception]
) -> AsyncIterator[None]:
    """Runs them in the background. One that fails stops the server; its error is appended to `errors`."""

    def stop_after_error(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception():
            stop()

    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    for task in tasks:
        task.add_done_callback(stop_after_error)
    yield
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    errors.extend(end for end in ended if isinstance(end, Exception))


def _lifespan(
    settings: ApiSettings,
    instance: str,
    stop: Callable[[], None],
    is_stopping: Callable[[], bool],
    errors: list[Exception],
) -> Lifespan:
    """Opens the resources and runs the background tasks."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        transport = connect(settings)
        reader, access = open_reader(settings.database_url), open_access(settings.database_url)
        keys = ApiKeys(access)
        back_pressure = BackPressure(transport, settings.max_backlog)
        resources = app.state.resources = Resources(
            projection=ProjectionQueries(reader, transport),
            publisher=EventPublisher(transport, back_pressure, instance),
            workers=WorkerRegistry(),
            back_pressure=back_pressure,
            dismissed_failures=DismissedFailures(access),
            enriches=settings.enriches,
            access=AccessRules(
                KeyCache(keys, settings.requests_per_second), settings.needs_key, settings.allowed_origins
            ),
            idempotency=IdempotencyStore(access),
        )
        feed = app.state.change_feed = ChangeFeed(resources.projection, resources.workers, is_stopping)

        async def reached_by_callers() -> None:
            await reach_database(access, "access")
            if settings.needs_key:
                await until_it_answers("database", keys.must_exist, DatabaseUnreachable)

        beside = (_connected(transport, resources, settings.scan_interval), reached_by_callers(), feed.run())
        async with _running(beside, stop, errors):
            yield
        await reader.close()
        await access.close()
        await transport.close()
        await asyncio.to_thread(tracing.shut_down)  # before uvicorn re-raises the signal, which ends the process

    return lifespan
