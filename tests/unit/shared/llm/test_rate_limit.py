"""A quota that a group shares: no member exceeds its share, and each uses it."""

import asyncio
import time

import pytest

from shared.errors import BrokerUnreachable
from shared.llm import rate_limit as module
from shared.llm.daily_limits import NO_LIMIT, DailyLimits
from shared.llm.rate_limit import CATCH_UP, Quota, RateLimiter

UNLIMITED = DailyLimits(NO_LIMIT, "topic")


class Share:
    def __init__(self, *shares: float | Exception) -> None:
        self.shares = list(shares)

    async def __call__(self) -> float:
        share = self.shares.pop(0) if len(self.shares) > 1 else self.shares[0]
        if isinstance(share, Exception):
            raise share
        return share


async def calls(pace: RateLimiter, during: float, each: float = 0.0) -> int:
    """The number of calls in this number of seconds, if each starts as soon as it is allowed."""
    made, end = 0, time.monotonic() + during
    while True:
        try:
            async with asyncio.timeout(end - time.monotonic()):
                await pace.enter()
        except TimeoutError:
            return made
        made += 1
        await asyncio.sleep(each)


@pytest.mark.parametrize(("share", "a_second"), [(1.0, 50), (0.25, 12.5)])
async def test_a_member_makes_its_share_of_the_calls(share: float, a_second: float) -> None:
    made = await calls(RateLimiter(Quota(requests=3000), UNLIMITED, Share(share)), during=2)
    assert 0.5 * 2 * a_second <= made <= (2 + CATCH_UP) * a_second + 1  # a busy machine makes it slower, never faster


async def test_the_bucket_starts_empty_and_is_emptied_when_the_share_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHECK_INTERVAL", 0)
    pace = RateLimiter(Quota(requests=600), UNLIMITED, Share(1.0, 0.5))
    began = time.monotonic()
    await pace.enter()
    await pace.enter()
    assert 0.2 <= time.monotonic() - began < 2


async def test_unused_quota_is_not_saved() -> None:
    pace = RateLimiter(Quota(requests=3000), UNLIMITED, Share(1.0))
    await pace.enter()
    await asyncio.sleep(1)
    assert await calls(pace, during=0.1) <= (0.1 + CATCH_UP) * 50 + 1


async def test_calls_wait_for_spent_tokens() -> None:
    pace = RateLimiter(Quota(tokens=6000), UNLIMITED, Share(0.5))
    await pace.enter()
    began = time.monotonic()
    pace.spent(20, 0)  # at 50 a second
    await pace.enter()
    assert 0.35 <= time.monotonic() - began < 2


async def test_without_work_the_share_is_not_requested_and_an_unknown_share_keeps_the_last_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHECK_INTERVAL", 0)
    assert await calls(RateLimiter(Quota(requests=6000), UNLIMITED, Share(0.0)), during=0.5) == 0
    assert (
        await calls(RateLimiter(Quota(requests=6000), UNLIMITED, Share(1.0, BrokerUnreachable("away"))), during=0.5) > 3
    )


async def test_without_a_quota_the_share_is_not_requested_and_no_call_waits() -> None:
    pace = RateLimiter(Quota(), UNLIMITED, Share(AssertionError("asked")))
    for _ in range(1000):
        await pace.enter()
