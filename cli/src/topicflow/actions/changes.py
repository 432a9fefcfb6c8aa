"""When to look again: on an event of the server's stream, or every so often where there is none."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress

from topicflow.client import AsyncClient, CommandError, Counts, Kind, NoEventStream, Unreachable

LONGEST_PAUSE = 5.0  # seconds between two looks, although nothing changed
UNTIL_NEXT_STREAM = 30.0  # seconds, where there is no stream: the network may change


async def looks(api: AsyncClient, kinds: Sequence[Kind], pause: float) -> AsyncGenerator[Counts | None, None]:
    """At once, and then whenever something may have changed, at most every `pause` seconds. With the counts of the
    newest event; None where there is no stream: then every `pause` seconds."""
    newest = _NewestCounts()
    reading = asyncio.create_task(newest.read(api, kinds))
    try:
        while True:
            yield newest.counts
            await asyncio.sleep(pause)
            if newest.counts:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LONGEST_PAUSE - pause):
                        await newest.has_changed.wait()
            newest.has_changed.clear()
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


class _NewestCounts:
    def __init__(self) -> None:
        self.counts: Counts | None = None
        self.has_changed = asyncio.Event()

    async def read(self, api: AsyncClient, kinds: Sequence[Kind]) -> None:
        """Returns if there may be none; where there is none now, it is looked for again."""
        while True:
            try:
                async with aclosing(api.events(kinds, patience=LONGEST_PAUSE)) as events:
                    async for event in events:
                        self._set(event.counts)
            except Unreachable:
                self._set(None)
                await asyncio.sleep(LONGEST_PAUSE)
            except NoEventStream:
                self._set(None)
                await asyncio.sleep(UNTIL_NEXT_STREAM)
            except CommandError:
                return self._set(None)

    def _set(self, counts: Counts | None) -> None:
        self.counts = counts
        self.has_changed.set()
