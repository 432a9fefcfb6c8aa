"""Reads the streams and projects batch after batch, until cancelled; waits out outages."""

import asyncio
from collections.abc import Callable, Collection, Iterable

import structlog

from shared.db.engine import DatabaseUnreachable
from shared.errors import BrokerUnreachable
from shared.messaging.broker import Reader, ReaderFactory
from shared.resilience.backoff import Backoff, RetryPolicy
from shared.service.stall_detector import StallDetector
from shared.streams import PROJECTED, PROJECTOR, STREAMS
from status_projector.projection import DecodedBatch, PositionMoved, Projection

log = structlog.get_logger()
BATCH = 1000  # records of each stream per transaction; larger ones cost more in memory than they save in pages
STAND_BY = 3.0  # seconds without a change of the position before another projector takes over
READ = [stream.name for stream in PROJECTED]
READ += [stream.dead_letters for stream in STREAMS if stream.groups or stream.projected]


async def project_forever(
    readers: ReaderFactory, projection: Projection, progress: StallDetector, instance: str
) -> None:
    """Until cancelled. Waits out outages without loss, because positions move in the same transaction as the rows."""
    backoff = Backoff(RetryPolicy(), longest=1.0)

    def tick() -> None:
        if backoff.reset():
            log.info("projection_resumed")
        progress.tick()

    while True:
        try:
            reader = await readers.reader(PROJECTOR, instance, READ, projection.load)
            await _project(reader, projection, tick)
        except (BrokerUnreachable, DatabaseUnreachable) as error:
            if not backoff.failures:
                log.warning("projection_waiting", error=str(error))
            await backoff.wait()


async def _project(reader: Reader, projection: Projection, tick: Callable[[], None]) -> None:
    """Reads and decodes a batch while the database, which is another process, stores the previous ones.

    Raises BrokerUnreachable, DatabaseUnreachable.
    """
    tasks = _StoreTasks(projection, tick)
    try:
        while True:
            batch = await reader.read(BATCH, timeout=0.5)
            decoded = await projection.decode(batch) if batch else None
            try:
                await tasks.wait_for_capacity(batch.positions if batch else None)
            except PositionMoved as moved:
                if not reader.owns_partitions:
                    log.info("projector_standing_by", reason=str(moved))
                    await _stand_by(projection, moved.partitions, tick)
                for partition in moved.partitions.union(batch.positions if batch else ()):
                    await reader.reload(partition)
                continue  # the batch is read again
            if decoded:
                tasks.start(decoded)
            else:
                tick()
    finally:
        await tasks.finish()
        await reader.close()


class _StoreTasks:
    """Batches that the database is storing: limited in number, and at most one per partition."""

    def __init__(self, projection: Projection, on_stored: Callable[[], None]) -> None:
        """`on_stored` is called after each batch."""
        self._projection = projection
        self._on_stored = on_stored
        self._tasks: dict[asyncio.Task[None], Collection[int]] = {}

    def start(self, decoded: DecodedBatch) -> None:
        self._tasks[asyncio.create_task(self._projection.store(decoded))] = decoded.batch.positions.keys()

    async def wait_for_capacity(self, partitions: Collection[int] | None) -> None:
        """Waits until a batch of these partitions can start; None: until all are stored.

        Raises BrokerUnreachable, DatabaseUnreachable; PositionMoved after all other batches have ended.
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
                    self._on_stored()
        if moved:
            raise PositionMoved(moved)

    def _must_wait(self, partitions: Collection[int] | None) -> bool:
        if partitions is None or len(self._tasks) >= self._projection.max_concurrent_batches:
            return True
        return any(partition in busy for busy in self._tasks.values() for partition in partitions)

    async def finish(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _stand_by(projection: Projection, partitions: Iterable[int], tick: Callable[[], None]) -> None:
    """Waits until the positions have not changed for STAND_BY seconds."""
    versions: list[int] = []
    while versions != (current := [(await projection.stored(partition)).version for partition in partitions]):
        versions = current
        tick()
        await asyncio.sleep(STAND_BY)
