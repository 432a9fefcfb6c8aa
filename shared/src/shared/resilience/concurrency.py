"""A limit on concurrent work that adapts to outages."""

import asyncio


class AdaptiveConcurrencyLimit:
    """Concurrency limit that halves on each outage and grows by one per answered round of calls."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self.limit = float(maximum)
        self._taken = 0
        self._freed = asyncio.Event()

    async def acquire(self) -> None:
        while self._taken >= int(self.limit):
            self._freed.clear()
            await self._freed.wait()
        self._taken += 1

    def release(self) -> None:
        self._taken -= 1
        self._freed.set()

    def answered(self) -> None:
        self.limit = min(self._maximum, self.limit + 1 / self.limit)

    def refused(self) -> None:
        self.limit = max(1.0, self.limit / 2)
