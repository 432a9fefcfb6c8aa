"""How many submissions a worker handles at a time, and how many more it has at hand for when one of them ends."""

import asyncio
import time

from shared.resilience.concurrency import most_ready
from shared.worker.in_flight import Work

MOST_AT_HAND = 300
AHEAD = 0.05  # seconds of work at hand: storing an end and fetching the next takes some of it
READY = 0.03  # seconds of work that is begun ahead: making a request and reading an answer takes some of it


class Places:
    def __init__(self, most: int) -> None:
        self._most = most
        self._free = asyncio.Semaphore(most)
        self._ready = 0  # places more than `most`
        self._is_closed = False
        self._began: dict[Work, float] = {}  # monotonic
        self._seconds = float("inf")  # that one takes, on average over the last ones

    @property
    def at_hand(self) -> int:
        """As many as will be begun in the next moment. Where one takes seconds it is none: nobody waits here for long
        whom another worker would begin at once."""
        return min(MOST_AT_HAND, self._begun_within(AHEAD))

    def _begun_within(self, seconds: float) -> int:
        return int(self._most * seconds / self._seconds)

    async def take(self, work: Work) -> bool:
        """False if it was displaced while it waited."""
        work.waits = True
        try:
            await self._free.acquire()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task and work.displaced and task.uncancel() == 0:
                return False
            raise
        finally:
            work.waits = False
        self._began[work] = time.monotonic()
        return True

    def leave(self, work: Work) -> None:
        """As soon as all that is left of it is to store its end; then again changes nothing."""
        if began := self._began.pop(work, None):
            took = max(time.monotonic() - began, 0.001)
            before = took if self._seconds == float("inf") else self._seconds
            self._seconds = before + (took - before) / self._most
            if not self._is_closed:
                self._give_back()

    def _give_back(self) -> None:
        """And have a few more while one takes so little that it matters what is not a call."""
        ready = min(most_ready(self._most), self._begun_within(READY))
        for _ in range(1 + ready - self._ready):
            self._free.release()
        self._ready = max(ready, self._ready - 1)

    def close(self) -> None:
        """Whoever waits for one waits on, and can be handed back."""
        self._is_closed = True
