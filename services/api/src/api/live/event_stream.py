"""One open event stream: what it is for, how far it is, and the events that wait to be sent."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from fastapi.sse import KEEPALIVE_COMMENT

from api.projection.change_cursor import ChangeCursor
from api.projection.changes import Interest
from shared.observability.metrics import EVENT_STREAMS_DROPPED

log = structlog.get_logger()
MOST_WAITING = 20  # events that a slow reader may be behind: five seconds
KEEPALIVE_SECONDS = 15.0
ASK_SECONDS = 5.0  # between two questions whether the client may still read


class EventStream:
    def __init__(self, interest: Interest, cursor: ChangeCursor) -> None:
        """`cursor`: everything before it has been sent."""
        self.interest = interest
        self.cursor = cursor
        self.drop: Callable[[], None] = lambda: None
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)

    def send(self, frame: bytes | None) -> None:
        """None ends the stream. Drops it if its client reads too slowly."""
        try:
            self._waiting.put_nowait(frame)
        except asyncio.QueueFull:
            EVENT_STREAMS_DROPPED.inc()
            log.warning("event_stream_dropped", reason="its client reads too slowly", waiting=MOST_WAITING)
            self.drop()

    async def frames(self, is_allowed: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """Frames and keep-alives until the stream ends. `is_allowed`: asked every few seconds."""
        sent_at = asked_at = time.monotonic()
        while True:
            try:
                frame = await asyncio.wait_for(self._waiting.get(), ASK_SECONDS)
            except TimeoutError:
                frame = KEEPALIVE_COMMENT if time.monotonic() - sent_at >= KEEPALIVE_SECONDS - ASK_SECONDS / 2 else b""
            if frame is None:
                return
            if frame:
                yield frame
                sent_at = time.monotonic()
            if time.monotonic() - asked_at >= ASK_SECONDS:
                asked_at = time.monotonic()
                if not await is_allowed():
                    return
