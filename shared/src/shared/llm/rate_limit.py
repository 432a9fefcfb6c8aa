"""Rate limit of one group member under a quota that the group shares."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf

from shared.errors import BrokerUnreachable
from shared.llm.daily_limits import DailyLimits

CHECK_INTERVAL = 1.0  # seconds between readings of the share
USED = 0.95  # share of the quota: the rest absorbs network jitter
CATCH_UP = 0.1  # seconds of unused rate that can be caught up
NO_SHARE_INTERVAL = 0.2  # seconds between checks while the share is 0


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits per minute for the whole group."""

    requests: float = inf
    tokens: float = inf


class RateLimiter:
    """Spreads this member's part of the quota evenly. No shared counter; more members make no more calls in total."""

    def __init__(
        self,
        quota: Quota,
        daily_limits: DailyLimits,
        share: Callable[[], Awaitable[float]],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`share`: returns this member's share of the work, 0 to 1. On BrokerUnreachable the last one is kept."""
        self._clock = clock
        self._sleep = sleep
        self._quota = quota
        self._daily_limits = daily_limits
        self._read_share = share
        self._share = 0.0
        self._share_read_at = -inf
        self._next_call = self._tokens_paid_at = -inf  # by the clock

    async def enter(self) -> None:
        """Waits until one more call is within the quota. One caller at a time. Raises DailyQuota, BudgetSpent."""
        if self._quota == Quota() and not self._daily_limits.is_limited:
            return
        while True:
            await self._refresh_share()
            if not self._share:
                await self._sleep(NO_SHARE_INTERVAL)
                continue
            wait = max(self._next_call, self._tokens_paid_at) - self._clock()
            if wait <= 0:
                break
            await self._sleep(min(wait, CHECK_INTERVAL))
        self._daily_limits.check(self._share)
        start = max(self._next_call, self._clock() - CATCH_UP)
        self._next_call = start + 60 / (USED * self._quota.requests * self._share)

    def spent(self, tokens: int, dollars: float) -> None:
        """Records an answered call: the next one waits until the token quota has recovered."""
        self._daily_limits.spent(tokens, dollars)
        if self._share:
            start = max(self._tokens_paid_at, self._clock())
            self._tokens_paid_at = start + tokens * 60 / (USED * self._quota.tokens * self._share)

    async def _refresh_share(self) -> None:
        now = self._clock()
        if now - self._share_read_at < CHECK_INTERVAL:
            return
        self._share_read_at = now
        try:
            share = await self._read_share()
        except BrokerUnreachable:
            return
        if share != self._share:
            self._share = share
            if share:  # the previous owner may have used this share
                self._next_call = max(self._next_call, now + 60 / (USED * self._quota.requests * share))
