"""Admits calls in the order of arrival, within the concurrency limit and the rate limit."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Outage
from shared.llm.rate_limit import RateLimiter
from shared.resilience.concurrency import AdaptiveConcurrencyLimit


class CallLimiter:
    def __init__(self, calls: int, rate: RateLimiter) -> None:
        """`calls` at a time."""
        self._concurrency = AdaptiveConcurrencyLimit(calls)
        self._rate = rate
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._admission: asyncio.Task[None] | None = None

    async def acquire(self) -> None:
        """Must be followed by `call` or `release`. Raises Outage: of the rate limit, or met by a call meanwhile."""
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(admitted)
        if self._admission is None or self._admission.done():
            self._admission = asyncio.create_task(self._admit())
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled() and not admitted.exception():
                self.release()
            raise

    def release(self) -> None:
        self._concurrency.release()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around an admitted call. An outage that it raises fails the waiting ones too: they would be refused."""
        try:
            yield
            self._concurrency.answered()
        except Outage as error:
            self._concurrency.refused()
            self._fail_waiting(error)
            raise
        finally:
            self.release()

    async def _admit(self) -> None:
        """Runs until no call waits."""
        while self._waiting:
            await self._concurrency.acquire()
            try:
                await self._rate.enter()
            except Exception as error:  # nothing awaits this task
                self.release()
                self._fail_waiting(error)
                continue
            while self._waiting and self._waiting[0].done():  # cancelled
                self._waiting.popleft()
            if self._waiting:
                self._waiting.popleft().set_result(None)
            else:
                self.release()

    def _fail_waiting(self, error: Exception) -> None:
        while self._waiting:
            if not (admitted := self._waiting.popleft()).done():
                admitted.set_exception(error)
