"""How many submissions a worker handles at a time, and how many more it prefetches while each takes very little time.

See docs/decisions/0020.
"""

import asyncio
import time

from shared.worker.in_flight import InFlightDelivery

LARGEST_PREFETCH = 300
PREFETCH_SECONDS = 0.05  # of work: storing an outcome and fetching the next delivery takes some of it


class ConcurrencyLimit:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = asyncio.Semaphore(limit)
        self._is_closed = False
        self._acquired_at: dict[InFlightDelivery, float] = {}  # monotonic
        self._seconds = float("inf")  # moving average of what one takes

    @property
    def prefetch(self) -> int:
        """As many as will start in the next moment. None where one takes seconds: another worker could start them."""
        return min(LARGEST_PREFETCH, int(self._limit * PREFETCH_SECONDS / self._seconds))

    async def acquire(self, delivery: InFlightDelivery) -> None:
        """Raises Superseded."""
        await delivery.wait(self._free.acquire)
        self._acquired_at[delivery] = time.monotonic()

    def release(self, delivery: InFlightDelivery) -> None:
        """As soon as only its end is left to store. Idempotent."""
        if acquired_at := self._acquired_at.pop(delivery, None):
            took = max(time.monotonic() - acquired_at, 0.001)
            before = took if self._seconds == float("inf") else self._seconds
            self._seconds = before + (took - before) / self._limit
            if not self._is_closed:
                self._free.release()

    def close(self) -> None:
        """Frees no more slots: whoever waits for one keeps waiting and can be handed back."""
        self._is_closed = True
