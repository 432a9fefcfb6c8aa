"""Backoff delays: doubling, capped, with jitter."""

import pytest

from shared.resilience.backoff import RetryPolicy, backoff_delay

POLICY = RetryPolicy(first_pause=0.5, longest_pause=30)


@pytest.mark.parametrize(("times", "longest"), [(1, 0.5), (2, 1), (3, 2), (6, 16), (7, 30), (8, 30), (1_000_000, 30)])
def test_pauses_double_up_to_a_longest_and_are_jittered_by_half(times: int, longest: float) -> None:
    pauses = [backoff_delay(times, POLICY) for _ in range(200)]
    assert longest / 2 <= min(pauses) < longest * 0.6
    assert longest * 0.9 < max(pauses) <= longest
