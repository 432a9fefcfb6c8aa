"""Builds and runs the status-projector: projects the streams, trims processed entries, publishes today's usage."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from faststream import FastStream

from shared.db.engine import open_writer
from shared.db.migrate import reach_database
from shared.messaging import connect
from shared.observability import metrics
from shared.service.bootstrap import run_beside, wait_until_ready
from shared.service.heartbeat import beat
from shared.service.ops_server import Ops, serving
from shared.service.stall_detector import StallDetector
from shared.streams import PROJECTOR
from status_projector.projection import Projection
from status_projector.projection_loop import READ, project_forever
from status_projector.publish_usage import publish_usage_forever
from status_projector.settings import ProjectorSettings
from status_projector.trim_streams import trim_forever


async def main(settings: ProjectorSettings, instance: str) -> None:
    ops = Ops(metrics.PROJECTOR)
    async with serving(ops, settings), AsyncExitStack() as resources:
        await run(settings, instance, ops, resources)


async def run(settings: ProjectorSettings, instance: str, ops: Ops, resources: AsyncExitStack) -> None:
    """Everything it opens is closed with `resources`, on any exit."""
    transport = connect(settings)
    resources.push_async_callback(transport.close)
    database = open_writer(settings.database_url)
    resources.push_async_callback(database.close)
    await wait_until_ready(transport)
    await reach_database(database, "projection")
    projection = Projection(database, transport.publish, instance)
    progress = StallDetector("the projection loop")

    async def is_progressing() -> None:
        progress.check()

    ops.checks = [is_progressing, partial(transport.end_positions, READ)]

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with run_beside(
            app,
            project_forever(transport, projection, progress, instance),
            trim_forever(transport, projection, settings),
            publish_usage_forever(transport, database, instance),
            beat(transport, PROJECTOR, instance),
        ):
            yield

    app = FastStream(transport.faststream_broker(), lifespan=lifespan, logger=None)
    await app.run()
