"""The order of calls when more wait than the limit allows."""

import asyncio

import pytest

from shared.errors import Unavailable
from shared.llm.call_limiter import CallLimiter
from shared.llm.daily_limits import NO_LIMIT, DailyLimits
from shared.llm.rate_limit import Quota, RateLimiter


async def whole() -> float:
    return 1.0


def limiter_of(calls: int) -> CallLimiter:
    return CallLimiter(calls, RateLimiter(Quota(), DailyLimits(NO_LIMIT, "article"), whole))


@pytest.mark.parametrize("calls", [2, 30])
async def test_calls_run_up_to_the_limit_in_order_of_arrival(calls: int) -> None:
    limiter, begun, now, most = limiter_of(calls), [], 0, 0

    async def call(name: int) -> None:
        nonlocal now, most
        await limiter.acquire()
        with limiter.call():
            begun.append(name)
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.001)
            now -= 1

    await asyncio.gather(*(call(n) for n in range(99)))
    assert begun == list(range(99))
    assert most == calls


async def test_an_outage_fails_waiting_calls_at_once_while_others_run() -> None:
    limiter, over = limiter_of(2), asyncio.Event()

    async def last() -> None:
        await limiter.acquire()
        with limiter.call():
            await over.wait()

    async def fail() -> None:
        await limiter.acquire()
        with limiter.call():
            raise Unavailable("503")

    lasting = asyncio.create_task(last())
    failed = await asyncio.wait_for(asyncio.gather(*(fail() for _ in range(9)), return_exceptions=True), 5)
    assert [type(error) for error in failed] == [Unavailable] * 9
    over.set()
    await lasting
    await asyncio.wait_for(limiter.acquire(), 5)


@pytest.mark.parametrize("ticks", range(6))
async def test_a_cancelled_waiter_uses_no_slot(ticks: int) -> None:
    limiter = limiter_of(1)
    await limiter.acquire()
    gone = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)
    with limiter.call():
        pass
    for _ in range(ticks):
        await asyncio.sleep(0)
    if gone.cancel():
        await asyncio.wait([gone])
    else:
        limiter.release()
    await asyncio.wait_for(limiter.acquire(), 5)
