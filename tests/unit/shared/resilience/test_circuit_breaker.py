"""The circuit breaker: closed, open for growing pauses, half open while one call probes."""

import pytest

from shared.resilience.backoff import RetryPolicy
from shared.resilience.circuit_breaker import BreakerState, CircuitBreaker


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def breaker_of(first_pause: float, longest_pause: float) -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    return CircuitBreaker(RetryPolicy(first_pause=first_pause, longest_pause=longest_pause), clock=clock), clock


def trip(breaker: CircuitBreaker, reason: str = "unavailable", after: float | None = None) -> float:
    """Seconds from the beginning of the outage until the next call may begin."""
    until = breaker.record_outage(reason, after, breaker.epoch)
    assert breaker.outage
    return (until - breaker.outage.since).total_seconds()


def test_it_opens_probes_once_after_the_pause_and_closes_after_a_success() -> None:
    breaker, clock = breaker_of(60, 3600)
    assert breaker.try_begin()
    trip(breaker)
    assert (breaker.state, breaker.try_begin(), breaker.allows_probe) == (BreakerState.OPEN, False, False)
    clock.now += 60
    assert breaker.allows_probe
    assert breaker.try_begin()
    assert (breaker.state, breaker.try_begin(), breaker.allows_probe) == (BreakerState.HALF_OPEN, False, False)
    breaker.record_success(breaker.epoch)
    assert (breaker.state, breaker.try_begin(), breaker.outage) == (BreakerState.CLOSED, True, None)


@pytest.mark.parametrize("ending", ["fails", "gives no answer"])
def test_a_probe_that_does_not_succeed_opens_it_for_another_pause(ending: str) -> None:
    breaker, clock = breaker_of(60, 3600)
    trip(breaker)
    clock.now += 60
    assert breaker.try_begin()
    if ending == "fails":
        trip(breaker)
    else:
        breaker.record_inconclusive(breaker.epoch)
    assert (breaker.state, breaker.try_begin()) == (BreakerState.OPEN, False)
    clock.now += 120
    assert breaker.try_begin()


def test_pauses_grow_with_each_failure_and_start_small_after_a_success() -> None:
    breaker, _ = breaker_of(100, 10_000)
    pauses = [trip(breaker) for _ in range(4)]
    assert 50 <= pauses[0] <= 101
    assert 400 <= pauses[3] <= 801
    breaker.record_success(breaker.epoch)
    assert 50 <= trip(breaker) <= 101


def test_a_requested_pause_is_the_minimum() -> None:
    breaker, clock = breaker_of(0, 0)
    assert trip(breaker, "rate_limited", after=30) == pytest.approx(30, abs=1)
    clock.now += 29
    assert not breaker.try_begin()
    clock.now += 1
    assert breaker.try_begin()


def test_results_of_calls_from_before_a_change_of_state_are_ignored() -> None:
    breaker, _ = breaker_of(60, 3600)
    before = breaker.epoch
    trip(breaker)
    outage = breaker.outage
    breaker.record_outage("rate_limited", 7200.0, before)
    breaker.record_success(before)
    breaker.record_inconclusive(before)
    assert breaker.outage == outage
    breaker.record_success(breaker.epoch)
    breaker.record_outage("unavailable", None, before)
    assert breaker.state is BreakerState.CLOSED


def test_an_outage_starts_when_it_was_first_noticed_and_shows_its_latest_reason() -> None:
    breaker, _ = breaker_of(0, 0)
    trip(breaker)
    assert breaker.outage
    since = breaker.outage.since
    assert breaker.try_begin()
    trip(breaker, "rate_limited")
    assert (breaker.outage.reason, breaker.outage.since) == ("rate_limited", since)


def test_every_change_is_reported() -> None:
    changes: list[int] = []
    breaker = CircuitBreaker(RetryPolicy(), on_change=lambda: changes.append(breaker.epoch))
    trip(breaker)
    breaker.record_inconclusive(breaker.epoch)
    breaker.record_success(breaker.epoch)
    breaker.record_success(breaker.epoch)
    assert changes == [1, 2, 3]
