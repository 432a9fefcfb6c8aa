"""What may be used in a day. The projector tells what was used, on `worker-control`: a restart forgets nothing."""

import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

from shared.errors import BudgetSpent, DailyQuota
from shared.events import Event, Kind, UsageTotals
from shared.llm.quota_day import day_of, end_of_day


@dataclass(frozen=True, slots=True)
class UsedToday:
    """Requests and tokens by all workers of one kind, US dollars by everybody."""

    requests: float = 0
    tokens: float = 0
    dollars: float = 0


NO_LIMIT = UsedToday(inf, inf, inf)
LATE = 3.0  # seconds until a call is among what is told, as long as anything is


class DailyLimits:
    """What is not told yet is guessed from what this worker used: others use as much for their share of the work. So it
    stops in time while the projector is silent, too."""

    def __init__(self, limits: UsedToday, kind: Kind) -> None:
        self._limits = limits
        self._kind = kind
        self._told: dict[str, UsageTotals] = {}
        self._told_at = 0.0  # monotonic, as are the times of
        self._calls: deque[tuple[float, int, float]] = deque()  # here, not told yet: when, tokens, US dollars

    @property
    def is_limited(self) -> bool:
        return self._limits != NO_LIMIT

    def on_usage_event(self, event: Event) -> None:
        if isinstance(event, UsageTotals):
            known = self._told.get(event.key)
            if known is None or (event.day, event.requests) > (known.day, known.requests):
                self._told[event.key] = event
                self._told_at = time.monotonic()

    def spent(self, tokens: int, dollars: float) -> None:
        """By one call."""
        if self.is_limited:
            self._calls.append((time.monotonic(), tokens, dollars))

    def check(self, share: float) -> None:
        """`share`: of the group's work that comes to this worker. Raises DailyQuota, BudgetSpent."""
        used, limits = self._used(share), self._limits
        if used.dollars >= limits.dollars:
            raise BudgetSpent(f"the daily budget of {limits.dollars:g} US dollars is spent", until=end_of_day())
        if used.requests >= limits.requests:
            raise DailyQuota(f"the daily limit of {limits.requests:g} requests is reached", until=end_of_day())
        if used.tokens >= limits.tokens:
            raise DailyQuota(f"the daily limit of {limits.tokens:g} tokens is reached", until=end_of_day())

    def _used(self, share: float) -> UsedToday:
        today = day_of(datetime.now(UTC))
        told = [totals for totals in self._told.values() if totals.day == today]
        ours = [totals for totals in told if totals.kind == self._kind]
        while self._calls and self._calls[0][0] < min(self._told_at, time.monotonic() - LATE):
            self._calls.popleft()
        return UsedToday(
            sum(totals.requests for totals in ours) + len(self._calls) / share,
            sum(totals.tokens for totals in ours) + sum(tokens for _, tokens, _ in self._calls) / share,
            sum(totals.cost for totals in told) + sum(dollars for _, _, dollars in self._calls) / share,
        )
