"""Builds the status-projector and runs it: reads the streams, projects batch after batch, trims what is done
with, tells what was paid today."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
from faststream import FastStream

from shared import metrics
from shared.db.engine import DatabaseUnreachable, open_writer
from shared.db.migrate import reach_database
from shared.errors import BrokerUnreachable
from shared.heartbeat import beat
from shared.ops import Ops, serving
from shared.progress import Progress
from shared.retry import Policy, pause
from shared.service import reach, run_beside
from shared.streams import PROJECTED, PROJECTOR, STREAMS
from shared.transport import connect
from shared.transport.base import Reader, Transport
from status_projector.on_submission_event import PositionMoved, Projection
from status_projector.settings import ProjectorSettings
from status_projector.tell_usage import tell_for_ever
from status_projector.trim_streams import trim_for_ever

log = structlog.get_logger()
BATCH = 2000  # records of each stream in one transaction; larger ones cost more memory than they save pages
STAND_BY = 3.0  # seconds a position must rest before another projector takes it over
READ = [stream.name for stream in PROJECTED]
READ += [stream.dead_letters for stream in STREAMS if stream.groups or stream.projected]


async def main(settings: ProjectorSettings, instance: str) -> None:
    ops = Ops(metrics.PROJECTOR)
    async with serving(ops, settings), AsyncExitStack() as opened:
        await work(settings, instance, ops, opened)


async def work(settings: ProjectorSettings, instance: str, ops: Ops, opened: AsyncExitStack) -> None:
    """What it opens is closed when `opened` is, however this ends."""
    transport = connect(settings)
    opened.push_async_callback(transport.close)
    database = open_writer(settings.database_url)
    opened.push_async_callback(database.close)
    await reach(transport)
    await reach_database(database, "projection")
    projection = Projection(database, transport.publish, instance)
    progress = Progress("the projection loop")

    async def gets_on() -> None:
        progress.check()

    ops.checks = [gets_on, partial(transport.ends, READ)]

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with run_beside(
            app,
            project_for_ever(transport, projection, progress, instance),
            trim_for_ever(transport, projection, settings),
            tell_for_ever(transport, database, instance),
            beat(transport, PROJECTOR, instance),
        ):
            yield

    app = FastStream(transport.shell(), lifespan=lifespan, logger=None)
    await app.run()


async def project_for_ever(transport: Transport, projection: Projection, progress: Progress, instance: str) -> None:
    """Until cancelled. What is out is waited for; nothing is lost meanwhile, for positions move with the rows."""
    failures = 0

    def turned() -> None:
        nonlocal failures
        if failures:
            log.info("going on")
        failures = 0
        progress.turned()

    while True:
        try:
            reader = await transport.reader(PROJECTOR, instance, READ, projection.load)
            await _project(reader, projection, turned)
        except (BrokerUnreachable, DatabaseUnreachable) as error:
            failures += 1
            if failures == 1:
                log.warning("waiting", error=str(error))
            await asyncio.sleep(min(1.0, pause(failures, Policy())))


async def _project(reader: Reader, projection: Projection, turned: Callable[[], None]) -> None:
    """Batch after batch. One is read and decoded while the database, which is another process, stores the one before.

    Raises BrokerUnreachable, DatabaseUnreachable.
    """
    storing: asyncio.Task[None] | None = None
    try:
        while True:
            batch = await reader.read(BATCH, timeout=0.5)
            read = await projection.read(batch) if batch else None
            try:
                if storing:
                    await storing
            except PositionMoved as moved:
                if not reader.owns_partitions:
                    log.info("standing by", reason=str(moved))
                    await _stand_by(projection, moved.partitions, turned)
                for partition in moved.partitions.union(batch.positions if batch else ()):
                    await reader.reload(partition)
                read = None  # it is read again
            if storing or not batch:
                turned()
            storing = asyncio.create_task(projection.store(read)) if read else None
    finally:
        if storing:
            await asyncio.gather(storing, return_exceptions=True)
        await reader.close()


async def _stand_by(projection: Projection, partitions: Iterable[int], turned: Callable[[], None]) -> None:
    """Until nobody has moved the positions for a while."""
    versions: list[int] = []
    while versions != (now := [(await projection.stored(partition)).version for partition in partitions]):
        versions = now
        turned()
        await asyncio.sleep(STAND_BY)
