"""Whose call is made next: so many at a time, at the pace that there is, first come, first served."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Outage
from shared.pace import Pace, Slots

SPREAD = 0.002  # seconds from one call's beginning to the next, about what a call costs here


class Turns:
    """Calls that begin together end together, and then hold each other up: they are spread over the time that one
    takes, as far as that costs no call."""

    def __init__(self, calls: int, pace: Pace) -> None:
        self._calls = calls
        self._seconds = 0.0  # that one takes, on average of the last ones
        self._slots = Slots(calls)
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
        began = time.monotonic()
        try:
            yield
            self._slots.answered()
            self._seconds += (time.monotonic() - began - self._seconds) / self._calls
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
                if self._seconds > 2 * self._calls * SPREAD:
                    await asyncio.sleep(SPREAD)
            else:
                self._slots.release()

    def _tell_those_who_wait(self, error: Exception) -> None:
        while self._waiting:
            if not (turn := self._waiting.popleft()).done():
                turn.set_exception(error)
