"""The response of an event stream: open until the client leaves, reads too slowly or may not read any more."""

from collections.abc import Awaitable, Callable

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.live.change_feed import ChangeFeed
from api.live.look import Look
from api.projection.change_cursor import ChangeCursor
from api.projection.changes import Interest


class EventStreamResponse(Response):
    media_type = "text/event-stream"

    def __init__(
        self,
        feed: ChangeFeed,
        interest: Interest,
        since: ChangeCursor | None,
        *,
        first: Callable[[Look], bytes],
        is_allowed: Callable[[], Awaitable[bool]],
    ) -> None:
        """`first`: the first event. `is_allowed`: asked now and then while it is open."""
        super().__init__(headers={"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed
        self._interest = interest
        self._since = since
        self._first = first
        self._is_allowed = is_allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises TooManyStreams, DatabaseUnreachable before anything is sent."""
        async with self._feed.listening(self._interest, self._since) as (stream, look):

            async def until_disconnected() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            async with anyio.create_task_group() as tasks:
                stream.drop = tasks.cancel_scope.cancel
                tasks.start_soon(until_disconnected)
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": self._first(look), "more_body": True})
                async for frame in stream.frames(self._is_allowed):
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
                tasks.cancel_scope.cancel()
