"""Whose call is made next: so many at a time, at the pace that there is, first come, first served."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Outage
from shared.llm.rate_limit import RateLimiter
from shared.resilience.concurrency import AdaptiveConcurrencyLimit, most_ready


class Turns:
    def __init__(self, calls: int, pace: RateLimiter) -> None:
        """`calls` at a time, and those that are made ready meanwhile, if anybody asks. None are where a day is limited:
        they would begin after the call that reaches the limit."""
        self._slots = AdaptiveConcurrencyLimit(calls + (0 if pace.is_limited else most_ready(calls)))
        self._pace = pace
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._usher: asyncio.Task[None] | None = None

    async def take(self) -> None:
        """What is taken must be `taken` or given back. Raises Outage: the pace's, or what a call met meanwhile."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if self._usher is None or self._usher.done():
            self._usher = asyncio.create_task(self._let_in())
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and not turn.exception():
                self.give_back()
            raise

    def give_back(self) -> None:
        self._slots.release()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Around the call. An outage that it raises is told to those who wait: their calls would be refused too."""
        try:
            yield
            self._slots.answered()
        except Outage as error:
            self._slots.refused()
            self._tell_those_who_wait(error)
            raise
        finally:
            self.give_back()

    async def _let_in(self) -> None:
        """Until nobody waits."""
        while self._waiting:
            await self._slots.acquire()
            try:
                await self._pace.enter()
            except Exception as error:  # nobody waits for the usher
                self._slots.release()
                self._tell_those_who_wait(error)
                continue
            while self._waiting and self._waiting[0].done():  # they went away
                self._waiting.popleft()
            if self._waiting:
                self._waiting.popleft().set_result(None)
            else:
                self._slots.release()

    def _tell_those_who_wait(self, error: Exception) -> None:
        while self._waiting:
            if not (turn := self._waiting.popleft()).done():
                turn.set_exception(error)
