"""Rate limit of one group member under a quota that the group shares."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf

from shared.errors import BrokerUnreachable
from shared.llm.daily_limits import DailyLimits

LOOK_EVERY = 1.0  # seconds between looks at the share
USED = 0.95  # share of the quota: the rest absorbs network jitter
CATCH_UP = 0.1  # seconds of unused calls that can be made up for
NOTHING_YET = 0.2  # seconds between checks of a member without a share


@dataclass(frozen=True, slots=True)
class Quota:
    """Per minute, of the whole group."""

    requests: float = inf
    tokens: float = inf


class RateLimiter:
    """Spreads this member's part of the quota evenly. No shared counter; more members make no more calls in total."""

    def __init__(self, quota: Quota, allowance: DailyLimits, share: Callable[[], Awaitable[float]]) -> None:
        """`share`: this member's share of the work, 0 to 1. If it raises BrokerUnreachable, the last one is used."""
        self._quota = quota
        self._allowance = allowance
        self._ask_share = share
        self._share = 0.0
        self._looked_at = -LOOK_EVERY
        self._next_call = self._tokens_paid_at = 0.0  # monotonic

    @property
    def is_limited(self) -> bool:
        """Whether daily limits apply, which prefetched calls could exceed."""
        return self._allowance.is_limited

    async def enter(self) -> None:
        """Wait until one more call is within the quota. One caller at a time. Raises DailyQuota, BudgetSpent."""
        if self._quota == Quota() and not self._allowance.is_limited:
            return
        while True:
            await self._look()
            if not self._share:
                await asyncio.sleep(NOTHING_YET)
                continue
            left = max(self._next_call, self._tokens_paid_at) - time.monotonic()
            if left <= 0:
                break
            await asyncio.sleep(min(left, LOOK_EVERY))
        self._allowance.check(self._share)
        began = max(self._next_call, time.monotonic() - CATCH_UP)
        self._next_call = began + 60 / (USED * self._quota.requests * self._share)

    def spent(self, tokens: int, dollars: float) -> None:
        """Record an answered call: the next one waits until the token quota has recovered."""
        self._allowance.spent(tokens, dollars)
        if self._share:
            began = max(self._tokens_paid_at, time.monotonic())
            self._tokens_paid_at = began + tokens * 60 / (USED * self._quota.tokens * self._share)

    async def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        try:
            share = await self._ask_share()
        except BrokerUnreachable:
            return
        if share != self._share:
            self._share = share
            if share:  # the previous owner may have used this share
                self._next_call = max(self._next_call, now + 60 / (USED * self._quota.requests * share))
