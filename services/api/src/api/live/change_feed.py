"""The change feed: one reader of the projection for all event streams of this replica.

A look reads what changed since the look before, once for all streams. Looks and new streams take turns, so that a
stream misses nothing between its first event and the next look.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from api.errors import TooManyStreams
from api.live.event_stream import EventStream
from api.live.events import WorkersNow
from api.live.look import Look
from api.projection.change_cursor import ChangeCursor
from api.projection.changes import Changes, Interest
from api.projection.repository import ProjectionQueries
from api.worker_registry import WorkerRegistry
from shared.db.engine import DatabaseUnreachable
from shared.observability.metrics import EVENT_STREAMS
from shared.resilience.backoff import Backoff, RetryPolicy

log = structlog.get_logger()
LOOK_INTERVAL = 0.1  # seconds, while somebody listens
WRITE_INTERVAL = 0.25  # seconds between two events of a stream, at least
MOST_STREAMS = 1_000


class ChangeFeed:
    def __init__(self, projection: ProjectionQueries, workers: WorkerRegistry, is_stopping: Callable[[], bool]) -> None:
        self._projection = projection
        self._workers = workers
        self._is_stopping = is_stopping
        self._streams: set[EventStream] = set()
        self._by_id: dict[str, set[EventStream]] = defaultdict(set)  # streams for some submissions
        self._turn = asyncio.Lock()
        self._is_listened_to = asyncio.Event()
        self._last: Changes | None = None  # None while nobody listens
        self._workers_sent = WorkersNow.of(workers)

    async def run(self) -> None:
        """Looks for changes while somebody listens, until cancelled. Waits out outages of the database."""
        backoff = Backoff(RetryPolicy(first_pause=0.1), longest=1.0)
        while True:
            await self._is_listened_to.wait()
            try:
                has_sent = await self._look()
            except DatabaseUnreachable as error:
                if not backoff.failures:
                    log.warning("change_feed_waiting", error=str(error))
                await backoff.wait()
            else:
                backoff.reset()
                await asyncio.sleep(WRITE_INTERVAL if has_sent else LOOK_INTERVAL)
            if self._is_stopping():
                self._end_streams()

    @asynccontextmanager
    async def listening(
        self, interest: Interest, since: ChangeCursor | None
    ) -> AsyncIterator[tuple[EventStream, Look]]:
        """A stream, and what it begins with: what changed after `since`, or else the state of its ids.

        Raises TooManyStreams, DatabaseUnreachable.
        """
        async with self._turn:
            if len(self._streams) >= MOST_STREAMS:
                raise TooManyStreams(f"{MOST_STREAMS} event streams are open at this replica of the API")
            beginning = await self._projection.beginning(since, interest)
            stream = EventStream(interest, beginning.cursor)
            self._add(stream, beginning)
        try:
            yield stream, Look(beginning, WorkersNow.of(self._workers))
        finally:
            self._remove(stream)

    def _add(self, stream: EventStream, beginning: Changes) -> None:
        self._streams.add(stream)
        for id_ in stream.interest.ids:
            self._by_id[id_].add(stream)
        if self._last is None:
            self._last, self._workers_sent = beginning, WorkersNow.of(self._workers)
        self._is_listened_to.set()
        EVENT_STREAMS.set(len(self._streams))

    def _remove(self, stream: EventStream) -> None:
        self._streams.discard(stream)
        for id_ in stream.interest.ids:
            self._by_id[id_].discard(stream)
            if not self._by_id[id_]:
                del self._by_id[id_]
        if not self._streams:
            self._last = None
            self._is_listened_to.clear()
        EVENT_STREAMS.set(len(self._streams))

    async def _look(self) -> bool:
        """Returns whether anything was sent."""
        async with self._turn:
            if self._last is None:
                return False
            interests = {stream.interest for stream in self._streams if not stream.interest.ids}
            changes = await self._projection.changes(self._last.cursor, self._by_id.keys(), interests)
            if self._last is None:  # everybody has left meanwhile
                return False
            workers, sent = WorkersNow.of(self._workers), self._workers_sent
            if changes is None and workers == sent:
                return False
            self._last, self._workers_sent = changes or self._last, workers
            look = Look(self._last, workers)
            has_sent = self._deliver(look) if changes else False
            if workers != sent:
                for stream in self._streams:
                    stream.send(look.counts_frame())
            return has_sent or workers != sent

    def _deliver(self, look: Look) -> bool:
        has_sent = False
        for stream in self._concerned(look.changes):
            if frame := look.frame(stream.interest, stream.cursor):
                stream.send(frame)
                has_sent = True
            stream.cursor = look.changes.cursor
        return has_sent

    def _concerned(self, changes: Changes) -> set[EventStream]:
        """The streams that these changes may be for."""
        if changes.must_reread:
            return set(self._streams)
        by_id = (stream for id_ in changes.kinds.keys() & self._by_id.keys() for stream in self._by_id[id_])
        return {*by_id, *(stream for stream in self._streams if not stream.interest.ids)}

    def _end_streams(self) -> None:
        for stream in self._streams:
            stream.send(None)
