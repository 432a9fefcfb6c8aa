"""The circuit breaker: blocks all calls, then one probes, then all pass."""

import asyncio
from datetime import UTC, datetime

import pytest
from eventually import eventually

from shared.events import WaitingFor
from shared.resilience.backoff import RetryPolicy
from shared.resilience.circuit_breaker import PAUSED, OutageGate

AT_ONCE = RetryPolicy(first_pause=0.0, longest_pause=0.0)
SOON = RetryPolicy(first_pause=0.02, longest_pause=0.1)
MUCH_LATER = RetryPolicy(first_pause=60.0, longest_pause=3600.0)


async def test_without_an_outage_all_calls_pass_at_once() -> None:
    gate = OutageGate(MUCH_LATER)
    assert await asyncio.gather(*(gate.enter(0.0) for _ in range(10))) == [gate.turn] * 10
    assert gate.waiting_for is None


async def test_during_an_outage_no_call_passes_before_the_pause_ends() -> None:
    gate = OutageGate(MUCH_LATER)
    gate.close("unavailable", None, gate.turn)
    assert not gate.is_open
    assert not gate.lets_one_try
    assert await asyncio.gather(*(gate.enter(0.05) for _ in range(3))) == [None] * 3
    assert await gate.enter(-1) is None


async def test_after_the_pause_exactly_one_call_probes() -> None:
    gate = OutageGate(SOON)
    gate.close("unavailable", None, gate.turn)
    entered = await asyncio.gather(*(gate.enter(0.3) for _ in range(10)))
    assert sorted(entered, key=lambda turn: turn is None) == [gate.turn] + [None] * 9
    assert not gate.lets_one_try


async def test_a_successful_probe_lets_all_calls_pass() -> None:
    gate = OutageGate(AT_ONCE)
    gate.close("unavailable", None, gate.turn)
    turn = await gate.enter(1)
    assert turn is not None
    waiting = [asyncio.create_task(gate.enter(10)) for _ in range(5)]
    await asyncio.sleep(0)
    gate.open(turn)
    assert await asyncio.wait_for(asyncio.gather(*waiting), 1) == [gate.turn] * 5
    assert gate.waiting_for is None


@pytest.mark.parametrize("ending", ["fails", "gives no answer"])
async def test_after_a_failed_probe_the_next_waiting_call_probes(ending: str) -> None:
    """A waiter with a long timeout does not sleep through the end of the outage."""
    gate = OutageGate(SOON)
    gate.close("unavailable", None, gate.turn)
    tried: list[int] = []

    async def try_once(number: int) -> None:
        turn = await gate.enter(60)
        assert turn is not None
        tried.append(number)
        if ending == "fails":
            gate.close("unavailable", None, turn)
        else:
            gate.gave_no_answer(turn)

    await asyncio.wait_for(asyncio.gather(*(try_once(number) for number in range(5))), 5)
    assert sorted(tried) == [0, 1, 2, 3, 4]


async def test_pauses_grow_with_each_failure_of_a_probe_and_start_small_after_a_success() -> None:
    gate = OutageGate(RetryPolicy(first_pause=100, longest_pause=10_000))

    def seconds() -> float:
        until = gate.close("unavailable", None, gate.turn)
        assert gate.waiting_for
        return (until - gate.waiting_for.since).total_seconds()

    longest = [seconds() for _ in range(4)]
    assert 50 <= longest[0] <= 101
    assert 400 <= longest[3] <= 801
    gate.open(gate.turn)
    assert 50 <= seconds() <= 101


async def test_a_requested_pause_is_the_minimum() -> None:
    gate = OutageGate(AT_ONCE)
    until = gate.close("rate_limited", 30.0, gate.turn)
    assert gate.waiting_for
    assert (until - gate.waiting_for.since).total_seconds() == pytest.approx(30, abs=1)
    assert await gate.enter(0.05) is None


async def test_results_of_calls_from_before_a_change_of_state_are_ignored() -> None:
    gate = OutageGate(MUCH_LATER)
    before = gate.turn
    gate.close("unavailable", None, before)
    waiting_for = gate.waiting_for
    gate.close("rate_limited", 7200.0, before)
    gate.open(before)
    gate.gave_no_answer(before)
    assert gate.waiting_for == waiting_for
    gate.open(gate.turn)
    gate.close("unavailable", None, before)
    assert gate.is_open


async def test_an_outage_starts_when_it_was_first_noticed() -> None:
    gate = OutageGate(AT_ONCE)

    def waits() -> tuple[str, datetime]:
        assert gate.waiting_for
        return gate.waiting_for.reason, gate.waiting_for.since

    gate.close("unavailable", None, gate.turn)
    _, since = waits()
    turn = await gate.enter(1)
    assert turn is not None
    gate.close("rate_limited", None, turn)
    assert waits() == ("rate_limited", since)


async def test_a_cancelled_waiter_leaves_the_probe_to_others() -> None:
    gate = OutageGate(SOON)
    gate.close("unavailable", None, gate.turn)
    impatient = asyncio.create_task(gate.enter(60))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await gate.enter(5) is not None
    await eventually(impatient.cancelled, within=1)


async def test_during_a_pause_no_call_passes_even_after_an_outage_ends() -> None:
    gate = OutageGate(AT_ONCE)
    since = datetime.now(UTC)
    gate.pause(since)
    assert gate.waiting_for == WaitingFor(reason=PAUSED, since=since)
    waiting = asyncio.create_task(gate.enter(10))
    gate.close("unavailable", None, gate.turn)  # by a call that was on its way
    assert not gate.lets_one_try
    assert await gate.enter(0.05) is None
    gate.pause(None)
    assert await asyncio.wait_for(waiting, 1) == gate.turn
    assert _reason(gate) == "unavailable"
    gate.open(gate.turn)
    assert gate.is_open


async def test_a_success_during_a_pause_ends_the_outage_and_not_the_pause() -> None:
    gate = OutageGate(AT_ONCE)
    gate.close("unavailable", None, gate.turn)
    turn = await gate.enter(1)
    assert turn is not None
    gate.pause(datetime.now(UTC))
    gate.open(turn)
    assert _reason(gate) == PAUSED
    gate.pause(None)
    assert gate.is_open


def _reason(gate: OutageGate) -> str | None:
    return gate.waiting_for.reason if gate.waiting_for else None
