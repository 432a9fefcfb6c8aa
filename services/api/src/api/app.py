"""Builds the FastAPI app; opens and closes what it needs; starts even while the broker or the database is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from api import health, problems, read_status, read_topics, retry_and_cleanup, submit_topics
from api.access import LimitedBody, LocalOnly
from api.context import ApiContext
from api.observe_requests import Observed
from api.projection import ProjectionQueries
from api.seen import Seen
from api.settings import ApiSettings
from api.workers import Workers
from shared import __version__, tracing
from shared.db.engine import open_access, open_reader
from shared.db.migrate import reach_database
from shared.heartbeat import beat
from shared.listen import listen
from shared.service import reach
from shared.transport import connect
from shared.transport.redis_heartbeats import follow_heartbeats

SERVICE = "api"


def build() -> FastAPI:
    """The routes, without anything behind them: what OpenAPI is made from."""
    app = FastAPI(
        title="topicflow",
        version=__version__,
        description="Submit topics, and see at any moment where each one stands.",
        docs_url=None,  # its page would load scripts from another host
        redoc_url=None,
        responses=problems.DOCUMENTED,
    )
    problems.install(app)
    app.add_middleware(LimitedBody)
    app.add_middleware(LocalOnly)
    app.include_router(health.router, tags=["health"])
    for part in (submit_topics, retry_and_cleanup, read_topics):
        app.include_router(part.router, prefix="/api/v1", tags=["topics"])
    app.include_router(read_status.router, prefix="/api/v1", tags=["status"])
    return app


async def main(settings: ApiSettings, instance: str) -> None:
    listening = listen(settings.host, settings.port, "TOPICFLOW_PORT")
    app = build()
    server = uvicorn.Server(
        uvicorn.Config(
            Observed(app),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
    )
    errors: list[Exception] = []
    app.router.lifespan_context = _lifespan(settings, instance, server, errors)
    await server.serve([listening])
    if errors:
        raise errors[0]


def _lifespan(settings: ApiSettings, instance: str, server: uvicorn.Server, errors: list[Exception]) -> Any:
    """What runs beside the routes; what ends there in an error ends the server and is in `errors`."""

    def stop_after_error(task: asyncio.Task[None]) -> None:
        server.should_exit |= not task.cancelled() and task.exception() is not None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        transport = connect(settings)
        reader, access = open_reader(settings.database_url), open_access(settings.database_url)
        workers = Workers()
        shell = transport.shell()
        provisioned = asyncio.Event()
        app.state.context = ApiContext(
            instance, transport, provisioned, ProjectionQueries(reader), Seen(access), workers
        )

        async def connected() -> None:
            await reach(transport)
            provisioned.set()
            await asyncio.gather(beat(transport, SERVICE, instance), follow_heartbeats(shell, workers.note))

        tasks = [asyncio.create_task(beside) for beside in (connected(), reach_database(access, "access"))]
        for task in tasks:
            task.add_done_callback(stop_after_error)
        yield
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        errors.extend(end for end in ended if isinstance(end, Exception))
        await shell.stop()
        await reader.close()
        await access.close()
        await transport.close()
        await asyncio.to_thread(tracing.shut_down)  # before uvicorn hands the signal on, which ends the process

    return lifespan
