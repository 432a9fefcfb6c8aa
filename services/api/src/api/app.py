"""Builds the FastAPI app; opens and closes what it needs; starts even while the broker or the database is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI

from api import health, problems, read_status, read_topics, retry_and_cleanup, submit_topics
from api.access import LimitedBody, LocalOnly
from api.context import ApiContext
from api.projection import ProjectionQueries
from api.seen import Seen
from api.settings import ApiSettings
from api.workers import Workers
from shared import __version__
from shared.db.engine import open_access, open_reader
from shared.db.migrate import reach_database
from shared.errors import CannotGoOn
from shared.heartbeat import beat
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
        redoc_url=None,
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
    app = build()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
    )
    failed: list[CannotGoOn] = []
    app.router.lifespan_context = _lifespan(settings, instance, server, failed)
    await server.serve()
    if failed:
        raise failed[0]


def _lifespan(settings: ApiSettings, instance: str, server: uvicorn.Server, failed: list[CannotGoOn]) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        transport = connect(settings)
        reader, access = open_reader(settings.database_url), open_access(settings.database_url)
        workers = Workers()
        shell = transport.shell()
        app.state.context = ApiContext(instance, transport, ProjectionQueries(reader), Seen(access), workers)

        async def connected() -> None:
            try:
                await reach(transport)
                await asyncio.gather(beat(transport, SERVICE, instance), follow_heartbeats(shell, workers.note))
            except CannotGoOn as error:
                failed.append(error)
                server.should_exit = True

        tasks = [asyncio.create_task(connected()), asyncio.create_task(reach_database(access, "access"))]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await shell.stop()
        await reader.dispose()
        await access.dispose()
        await transport.close()

    return lifespan
