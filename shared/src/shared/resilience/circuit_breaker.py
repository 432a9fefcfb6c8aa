"""What is called may be out, or somebody wants a pause: nobody calls until it is time, then one, then all."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from shared.events import WaitingFor
from shared.resilience.backoff import RetryPolicy, backoff_delay

PAUSED = "paused"


class OutageGate:
    """Open: everybody passes. Closed: one at a time may try, after growing pauses; its success opens it.

    A call notes the `turn` in which it begins. What it tells of the other side counts only in the same turn: calls
    that were on their way when the gate moved neither lengthen the pause nor open the gate.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self.turn = 0
        self.policy = policy
        self._outage: WaitingFor | None = None
        self._pause: WaitingFor | None = None
        self._failures = 0
        self._next_try = 0.0  # monotonic
        self._trying = False
        self._changed = asyncio.Event()

    @property
    def waiting_for(self) -> WaitingFor | None:
        return self._pause or self._outage

    @property
    def is_open(self) -> bool:
        return self.waiting_for is None

    @property
    def lets_one_try(self) -> bool:
        is_time = not self._trying and time.monotonic() >= self._next_try
        return self._outage is not None and self._pause is None and is_time

    def pause(self, since: datetime | None) -> None:
        """Somebody wants nothing to be called, since then; None: any more. What is on its way may end."""
        self._pause = WaitingFor(reason=PAUSED, since=since) if since else None
        self._wake()

    def close(
        self, reason: str, after: float | None, turn: int, known_until: datetime | None = None, message: str = ""
    ) -> datetime:
        """Answers until when nobody calls; `after`: seconds that the other side asked for. `known_until`: when it is
        sure to end, which is answered and shown, while one may try before. `message`: the reason in words."""
        now = datetime.now(UTC)
        if turn != self.turn:
            return self._outage.until or now if self._outage else now
        self._failures += 1
        seconds = max(after or 0.0, backoff_delay(self._failures, self.policy))
        until = max(now + timedelta(seconds=seconds), known_until or now)
        since = self._outage.since if self._outage else now
        self._outage = WaitingFor(reason=reason, since=since, until=until, message=message)
        self._next_try = time.monotonic() + seconds
        self._move()
        return until

    def open(self, turn: int) -> None:
        if turn == self.turn and self._outage:
            self._failures = 0
            self._outage = None
            self._move()

    def gave_no_answer(self, turn: int) -> None:
        """The one that tried ended without saying whether the outage is over."""
        if turn == self.turn and self._outage:
            self._next_try = time.monotonic() + backoff_delay(self._failures, self.policy)
            self._move()

    def _move(self) -> None:
        self.turn += 1
        self._trying = False
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def enter(self, timeout: float) -> int | None:
        """Wait until calling makes sense: answers the turn, or None after `timeout` seconds.

        Who entered must tell how it went: `open`, `close` or `gave_no_answer`.
        """
        give_up = time.monotonic() + timeout
        while not self.is_open:
            if self.lets_one_try:
                self._trying = True
                return self.turn
            if time.monotonic() >= give_up:
                return None
            until = give_up if self._trying or self._pause else min(give_up, self._next_try)
            with suppress(TimeoutError):
                async with asyncio.timeout(until - time.monotonic()):
                    await self._changed.wait()
        return self.turn
