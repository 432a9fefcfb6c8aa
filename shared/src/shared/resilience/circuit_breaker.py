"""Circuit breaker: blocks calls during an outage, then lets one probe through before all pass again."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum

from shared.events import WaitingFor
from shared.resilience.backoff import RetryPolicy, backoff_delay


class BreakerState(Enum):
    """OPEN blocks calls for growing pauses. HALF_OPEN: one call probes; its success closes the breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """A call notes the `epoch` in which it begins. Its result counts only in the same epoch: calls that were in flight
    when the state changed neither lengthen the pause nor close the breaker.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        on_change: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_change`: called after every change of state."""
        self.policy = policy
        self.epoch = 0
        self.state = BreakerState.CLOSED
        self.outage: WaitingFor | None = None
        self.retry_at = 0.0  # by the clock; while OPEN, a probe may begin then
        self._failures = 0
        self._on_change = on_change
        self._clock = clock

    @property
    def allows_probe(self) -> bool:
        return self.state is BreakerState.OPEN and self._clock() >= self.retry_at

    def try_begin(self) -> bool:
        """Whether a call may begin now. When a pause is over, the first caller becomes the probe.

        A probe must report its result: `record_success`, `record_outage` or `record_inconclusive`.
        """
        if self.allows_probe:
            self.state = BreakerState.HALF_OPEN
            return True
        return self.state is BreakerState.CLOSED

    def record_outage(
        self, reason: str, after: float | None, epoch: int, known_until: datetime | None = None, message: str = ""
    ) -> datetime:
        """Opens the breaker; returns until when no call begins. `after`: seconds that the other side asked for.

        `known_until`: when the outage is sure to end, which is shown and returned, while a probe may begin earlier.
        `message`: the reason in words.
        """
        now = datetime.now(UTC)
        if epoch != self.epoch:
            return self.outage.until or now if self.outage else now
        self._failures += 1
        seconds = max(after or 0.0, backoff_delay(self._failures, self.policy))
        until = max(now + timedelta(seconds=seconds), known_until or now)
        since = self.outage.since if self.outage else now
        self.outage = WaitingFor(reason=reason, since=since, until=until, message=message)
        self._change(BreakerState.OPEN, seconds)
        return until

    def record_success(self, epoch: int) -> None:
        if epoch == self.epoch and self.outage:
            self._failures = 0
            self.outage = None
            self._change(BreakerState.CLOSED)

    def record_inconclusive(self, epoch: int) -> None:
        """A call ended without showing whether the outage is over. After a pause, another one probes."""
        if epoch == self.epoch and self.outage:
            self._change(BreakerState.OPEN, backoff_delay(self._failures, self.policy))

    def _change(self, state: BreakerState, seconds: float = 0.0) -> None:
        self.state = state
        self.retry_at = self._clock() + seconds
        self.epoch += 1
        self._on_change()
