"""Daily limits and budget. The projector publishes usage on `worker-control`, so a restart loses no count."""

import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

from shared.errors import BudgetSpent, DailyQuota
from shared.events import Event, Kind, UsageReported
from shared.llm.quota_day import day_of, end_of_day


@dataclass(frozen=True, slots=True)
class UsedToday:
    """Requests and tokens of all workers of one kind, US dollars of all workers."""

    requests: float = 0
    tokens: float = 0
    dollars: float = 0


NO_LIMIT = UsedToday(inf, inf, inf)
LATE = 3.0  # seconds until the published usage includes a call, while the projector publishes


class DailyLimits:
    """Usage that is not published yet is extrapolated from this worker's own calls and its share of the work, so limits
    hold while the projector is down, too."""

    def __init__(self, limits: UsedToday, kind: Kind) -> None:
        self._limits = limits
        self._kind = kind
        self._totals: dict[str, UsageReported] = {}
        self._received_at = 0.0  # monotonic, as are the times in `_calls`
        self._calls: deque[tuple[float, int, float]] = deque()  # own calls, not published yet: time, tokens, US dollars

    @property
    def is_limited(self) -> bool:
        return self._limits != NO_LIMIT

    def on_usage_event(self, event: Event) -> None:
        if isinstance(event, UsageReported):
            current = self._totals.get(event.key)
            if current is None or (event.day, event.requests) > (current.day, current.requests):
                self._totals[event.key] = event
                self._received_at = time.monotonic()

    def spent(self, tokens: int, dollars: float) -> None:
        """Records one call of this worker."""
        if self.is_limited:
            self._calls.append((time.monotonic(), tokens, dollars))

    def check(self, share: float) -> None:
        """`share`: this worker's share of the group's work, 0 to 1. Raises DailyQuota, BudgetSpent."""
        used, limits = self._used(share), self._limits
        if used.dollars >= limits.dollars:
            raise BudgetSpent(f"the daily budget of {limits.dollars:g} US dollars is spent", until=end_of_day())
        if used.requests >= limits.requests:
            raise DailyQuota(f"the daily limit of {limits.requests:g} requests is reached", until=end_of_day())
        if used.tokens >= limits.tokens:
            raise DailyQuota(f"the daily limit of {limits.tokens:g} tokens is reached", until=end_of_day())

    def _used(self, share: float) -> UsedToday:
        today = day_of(datetime.now(UTC))
        current = [totals for totals in self._totals.values() if totals.day == today]
        of_kind = [totals for totals in current if totals.kind == self._kind]
        while self._calls and self._calls[0][0] < min(self._received_at, time.monotonic() - LATE):
            self._calls.popleft()
        return UsedToday(
            sum(totals.requests for totals in of_kind) + len(self._calls) / share,
            sum(totals.tokens for totals in of_kind) + sum(tokens for _, tokens, _ in self._calls) / share,
            sum(totals.cost for totals in current) + sum(dollars for _, _, dollars in self._calls) / share,
        )
