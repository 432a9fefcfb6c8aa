"""The adaptive concurrency limit: lower after outages, higher again after answers."""

import asyncio

from shared.resilience.concurrency import AdaptiveConcurrencyLimit


async def test_the_concurrency_limit_falls_after_outages_and_rises_after_answers() -> None:
    limiter = AdaptiveConcurrencyLimit(6)
    for _ in range(3):
        limiter.refused()
    assert limiter.limit == 1
    await limiter.acquire()
    second = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0.01)
    assert not second.done()
    limiter.release()
    await asyncio.wait_for(second, 1)
    answers = 0
    while limiter.limit < 6:
        limiter.answered()
        answers += 1
    assert 10 <= answers <= 20
    for _ in range(5):
        await asyncio.wait_for(limiter.acquire(), 1)
    seventh = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0.01)
    assert not seventh.done()
    seventh.cancel()
