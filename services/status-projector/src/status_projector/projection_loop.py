"""Reads the streams and projects batch after batch, until cancelled; waits out what is away."""

import asyncio
from collections.abc import Callable, Collection, Iterable

import structlog

from shared.db.engine import DatabaseUnreachable
from shared.errors import BrokerUnreachable
from shared.messaging.broker import Reader, Transport
from shared.resilience.backoff import RetryPolicy, backoff_delay
from shared.service.stall_detector import StallDetector
from shared.streams import PROJECTED, PROJECTOR, STREAMS
from status_projector.projection import PositionMoved, Projection, Read

log = structlog.get_logger()
BATCH = 1000  # records of each stream in one transaction; larger ones cost more memory than they save pages
STAND_BY = 3.0  # seconds a position must rest before another projector takes it over
READ = [stream.name for stream in PROJECTED]
READ += [stream.dead_letters for stream in STREAMS if stream.groups or stream.projected]


async def project_for_ever(
    transport: Transport, projection: Projection, progress: StallDetector, instance: str
) -> None:
    """Until cancelled. What is out is waited for; nothing is lost meanwhile, for positions move with the rows."""
    failures = 0

    def tick() -> None:
        nonlocal failures
        if failures:
            log.info("projection_resumed")
        failures = 0
        progress.tick()

    while True:
        try:
            reader = await transport.reader(PROJECTOR, instance, READ, projection.load)
            await _project(reader, projection, tick)
        except (BrokerUnreachable, DatabaseUnreachable) as error:
            failures += 1
            if failures == 1:
                log.warning("projection_waiting", error=str(error))
            await asyncio.sleep(min(1.0, backoff_delay(failures, RetryPolicy())))


async def _project(reader: Reader, projection: Projection, tick: Callable[[], None]) -> None:
    """One batch is read and decoded while the database, which is another process, stores those before.

    Raises BrokerUnreachable, DatabaseUnreachable.
    """
    storing = _Storing(projection, tick)
    try:
        while True:
            batch = await reader.read(BATCH, timeout=0.5)
            read = await projection.read(batch) if batch else None
            try:
                await storing.until_free(batch.positions if batch else None)
            except PositionMoved as moved:
                if not reader.owns_partitions:
                    log.info("projector_standing_by", reason=str(moved))
                    await _stand_by(projection, moved.partitions, tick)
                for partition in moved.partitions.union(batch.positions if batch else ()):
                    await reader.reload(partition)
                continue  # the batch is read again
            if read:
                storing.begin(read)
            else:
                tick()
    finally:
        await storing.end()
        await reader.close()


class _Storing:
    """Batches that the database is storing: as many as it may at a time, and none of a partition that another is of."""

    def __init__(self, projection: Projection, stored: Callable[[], None]) -> None:
        """`stored` is called after each."""
        self._projection = projection
        self._stored = stored
        self._tasks: dict[asyncio.Task[None], Collection[int]] = {}

    def begin(self, read: Read) -> None:
        self._tasks[asyncio.create_task(self._projection.store(read))] = read.batch.positions.keys()

    async def until_free(self, partitions: Collection[int] | None) -> None:
        """Until one of these partitions may begin; None: all are stored.

        Raises BrokerUnreachable, DatabaseUnreachable; PositionMoved when all others are stored.
        """
        moved: set[int] = set()
        while self._tasks and (moved or self._must_wait(partitions)):
            ended, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                del self._tasks[task]
                try:
                    task.result()
                except PositionMoved as error:
                    moved |= error.partitions
                else:
                    self._stored()
        if moved:
            raise PositionMoved(moved)

    def _must_wait(self, partitions: Collection[int] | None) -> bool:
        if partitions is None or len(self._tasks) >= self._projection.at_a_time:
            return True
        return any(number in stored for stored in self._tasks.values() for number in partitions)

    async def end(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _stand_by(projection: Projection, partitions: Iterable[int], tick: Callable[[], None]) -> None:
    """Until nobody has moved the positions for a while."""
    versions: list[int] = []
    while versions != (now := [(await projection.stored(partition)).version for partition in partitions]):
        versions = now
        tick()
        await asyncio.sleep(STAND_BY)
