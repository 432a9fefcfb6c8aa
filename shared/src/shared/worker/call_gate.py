"""Whether a handler may call now: not during an operator's pause, nor while the circuit breaker is open."""

import asyncio
import time
from contextlib import suppress
from datetime import datetime

from shared.events import PAUSED, WaitingFor
from shared.resilience.backoff import RetryPolicy
from shared.resilience.circuit_breaker import BreakerState, CircuitBreaker


class CallGate:
    def __init__(self, policy: RetryPolicy) -> None:
        self.breaker = CircuitBreaker(policy, on_change=self._wake)
        self._pause: WaitingFor | None = None
        self._is_closed = False
        self._changed = asyncio.Event()

    @property
    def waiting_for(self) -> WaitingFor | None:
        return self._pause or self.breaker.outage

    @property
    def is_blocked(self) -> bool:
        return self._is_closed or self.waiting_for is not None

    @property
    def allows_probe(self) -> bool:
        return self._pause is None and self.breaker.allows_probe

    def pause(self, since: datetime | None) -> None:
        """Blocks new calls; None resumes. Calls in flight end normally."""
        self._pause = WaitingFor(reason=PAUSED, since=since) if since else None
        self._wake()

    def close(self) -> None:
        """Blocks new calls for good: the worker stops."""
        self._is_closed = True
        self._wake()

    async def wait_until_allowed(self, timeout: float) -> int | None:
        """The breaker's epoch for a call that may begin now, or None after `timeout` seconds."""
        give_up = time.monotonic() + timeout
        while self._is_closed or self._pause or not self.breaker.try_begin():
            if time.monotonic() >= give_up:
                return None
            is_up_to_others = self._is_closed or self._pause or self.breaker.state is BreakerState.HALF_OPEN
            until = give_up if is_up_to_others else min(give_up, self.breaker.retry_at)
            with suppress(TimeoutError):
                async with asyncio.timeout(until - time.monotonic()):
                    await self._changed.wait()
        return self.breaker.epoch

    def still_allows(self, epoch: int) -> bool:
        """Whether a call that was allowed in this epoch may begin even now."""
        is_probe = self.breaker.state is BreakerState.HALF_OPEN and epoch == self.breaker.epoch
        return not self._is_closed and self._pause is None and (is_probe or self.breaker.state is BreakerState.CLOSED)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
