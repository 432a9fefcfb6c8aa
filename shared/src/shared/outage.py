"""What is called may be out: nobody calls until it is time, then one, then all. Used by `transport/settle.py`."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from shared.events import WaitingFor
from shared.retry import Policy, pause


class OutageGate:
    """Open: everybody passes. Closed: one at a time may try, after growing pauses; a success opens it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._open = asyncio.Event()
        self._open.set()
        self._failures = 0
        self._next_try = 0.0  # monotonic
        self._trying = False
        self.waiting_for: WaitingFor | None = None

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    @property
    def lets_one_try(self) -> bool:
        return not self.is_open and not self._trying and time.monotonic() >= self._next_try

    def close(self, reason: str, after: float | None = None) -> WaitingFor:
        """Of several failures of calls that were on their way together only the first lengthens the pause."""
        now = datetime.now(UTC)
        since = self.waiting_for.since if self.waiting_for else now
        if self.is_open or self._trying or time.monotonic() >= self._next_try:
            self._failures += 1
            seconds = max(after or 0.0, pause(self._failures, self._policy))
            self._next_try = time.monotonic() + seconds
            self.waiting_for = WaitingFor(reason=reason, since=since, until=now + timedelta(seconds=seconds))
        self._trying = False
        self._open.clear()
        assert self.waiting_for
        return self.waiting_for

    def open(self) -> None:
        self._failures = 0
        self._trying = False
        self.waiting_for = None
        self._open.set()

    def gave_no_answer(self) -> None:
        """The one that tried ended without saying whether the outage is over."""
        if self._trying:
            self._trying = False
            self._next_try = time.monotonic() + pause(self._failures, self._policy)

    async def enter(self, timeout: float) -> bool:
        """Wait until calling makes sense; False after `timeout` seconds."""
        give_up = time.monotonic() + timeout
        while not self.is_open:
            if self.lets_one_try:
                self._trying = True
                return True
            left = give_up - time.monotonic()
            if left <= 0:
                return False
            until_try = self._next_try - time.monotonic() if not self._trying else left
            try:
                await asyncio.wait_for(self._open.wait(), min(left, max(until_try, 0.01)))
            except TimeoutError:
                continue
        return True
