"""A quota that a group shares: no member exceeds its part, and each uses it."""

import pytest

from shared.errors import BrokerUnreachable
from shared.llm.daily_limits import NO_LIMIT, DailyLimits
from shared.llm.rate_limit import CATCH_UP, CHECK_INTERVAL, USED, Quota, RateLimiter

UNLIMITED = DailyLimits(NO_LIMIT, "topic")


class Share:
    def __init__(self, *shares: float | Exception) -> None:
        self.shares = list(shares)
        self.reads = 0

    async def __call__(self) -> float:
        self.reads += 1
        share = self.shares.pop(0) if len(self.shares) > 1 else self.shares[0]
        if isinstance(share, Exception):
            raise share
        return share


class Member:
    """Its time passes only while its limiter sleeps."""

    def __init__(self, quota: Quota, share: Share) -> None:
        self.now = 1000.0
        self.limiter = RateLimiter(quota, UNLIMITED, share, clock=lambda: self.now, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    async def waits(self) -> float:
        """Seconds until one more call is admitted."""
        began = self.now
        await self.limiter.enter()
        return self.now - began

    async def calls(self, during: float) -> int:
        """The number of calls that are admitted in this time, one after the other."""
        made, end = -1, self.now + during
        while self.now < end:
            await self.limiter.enter()
            made += 1
        return made


@pytest.mark.parametrize(("share", "a_second"), [(1.0, 50), (0.25, 12.5)])
async def test_a_member_makes_its_share_of_the_calls(share: float, a_second: float) -> None:
    made = await Member(Quota(requests=3000), Share(share)).calls(during=20)
    assert made == pytest.approx(20 * a_second * USED, abs=2)


async def test_the_bucket_starts_empty_and_is_emptied_when_the_share_changes() -> None:
    member = Member(Quota(requests=600), Share(1.0, 0.5))
    assert await member.waits() == pytest.approx(0.1 / USED)
    member.now += CHECK_INTERVAL
    assert await member.waits() == pytest.approx(0.2 / USED)


async def test_unused_quota_is_not_saved() -> None:
    member = Member(Quota(requests=3000), Share(1.0))
    await member.waits()
    member.now += 60
    assert await member.calls(during=0.1) <= (0.1 + CATCH_UP) * 50 + 1


async def test_calls_wait_for_spent_tokens() -> None:
    member = Member(Quota(tokens=6000), Share(0.5))
    await member.waits()
    member.limiter.spent(20, 0)  # at 50 a second
    assert await member.waits() == pytest.approx(20 / (50 * USED))


async def test_without_a_share_no_call_is_admitted_until_there_is_one() -> None:
    share = Share(*[0.0] * 30, 1.0)
    assert 25 * CHECK_INTERVAL < await Member(Quota(requests=6000), share).waits() < 35 * CHECK_INTERVAL


async def test_while_the_share_is_unknown_the_last_one_counts() -> None:
    member = Member(Quota(requests=6000), Share(1.0, BrokerUnreachable("away")))
    assert await member.calls(during=20) == pytest.approx(20 * 100 * USED, abs=2)


async def test_without_a_quota_the_share_is_not_requested_and_no_call_waits() -> None:
    share = Share(1.0)
    member = Member(Quota(), share)
    assert [await member.waits() for _ in range(1000)] == [0.0] * 1000
    assert share.reads == 0
