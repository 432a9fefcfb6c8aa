"""Backoff delays: doubling, capped, with jitter."""

import asyncio

import pytest

from shared.resilience.backoff import Backoff, RetryPolicy, backoff_delay

POLICY = RetryPolicy(first_pause=0.5, longest_pause=30)


@pytest.mark.parametrize(("times", "longest"), [(1, 0.5), (2, 1), (3, 2), (6, 16), (7, 30), (8, 30), (1_000_000, 30)])
def test_pauses_double_up_to_a_longest_and_are_jittered_by_half(times: int, longest: float) -> None:
    pauses = [backoff_delay(times, POLICY) for _ in range(200)]
    assert longest / 2 <= min(pauses) < longest * 0.6
    assert longest * 0.9 < max(pauses) <= longest


async def test_each_failure_in_a_row_waits_longer_until_a_success() -> None:
    backoff = Backoff(RetryPolicy(first_pause=0.001, longest_pause=30), longest=0.002)
    assert not backoff.reset()
    for _ in range(3):
        await asyncio.wait_for(backoff.wait(), 1)
    assert backoff.failures == 3
    assert backoff.reset()
    assert not backoff.reset()
    assert backoff.failures == 0
