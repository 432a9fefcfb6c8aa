"""The gate before every call: a pause and an outage block calls; after an outage one call probes, then all pass."""

import asyncio
from datetime import UTC, datetime

import pytest
from eventually import eventually

from shared.events import PAUSED, WaitingFor
from shared.resilience.backoff import RetryPolicy
from shared.resilience.circuit_breaker import BreakerState
from shared.worker.call_gate import CallGate

AT_ONCE = RetryPolicy(first_pause=0.0, longest_pause=0.0)
SOON = RetryPolicy(first_pause=0.02, longest_pause=0.1)
MUCH_LATER = RetryPolicy(first_pause=60.0, longest_pause=3600.0)


def gate_in_outage(policy: RetryPolicy) -> CallGate:
    gate = CallGate(policy)
    gate.breaker.record_outage("unavailable", None, gate.breaker.epoch)
    return gate


def reason(gate: CallGate) -> str | None:
    return gate.waiting_for.reason if gate.waiting_for else None


async def test_without_an_outage_all_calls_pass_at_once() -> None:
    gate = CallGate(MUCH_LATER)
    assert await asyncio.gather(*(gate.wait_until_allowed(0.0) for _ in range(10))) == [gate.breaker.epoch] * 10
    assert gate.waiting_for is None
    assert not gate.is_blocked


async def test_during_an_outage_no_call_passes_before_the_pause_ends() -> None:
    gate = gate_in_outage(MUCH_LATER)
    assert gate.is_blocked
    assert not gate.allows_probe
    assert await asyncio.gather(*(gate.wait_until_allowed(0.05) for _ in range(3))) == [None] * 3
    assert await gate.wait_until_allowed(-1) is None


async def test_after_the_pause_exactly_one_call_probes() -> None:
    gate = gate_in_outage(SOON)
    allowed = await asyncio.gather(*(gate.wait_until_allowed(0.3) for _ in range(10)))
    assert sorted(allowed, key=lambda epoch: epoch is None) == [gate.breaker.epoch] + [None] * 9
    assert not gate.allows_probe


async def test_a_successful_probe_lets_all_calls_pass() -> None:
    gate = gate_in_outage(AT_ONCE)
    epoch = await gate.wait_until_allowed(1)
    assert epoch is not None
    waiting = [asyncio.create_task(gate.wait_until_allowed(10)) for _ in range(5)]
    await asyncio.sleep(0)
    gate.breaker.record_success(epoch)
    assert await asyncio.wait_for(asyncio.gather(*waiting), 1) == [gate.breaker.epoch] * 5
    assert gate.waiting_for is None


@pytest.mark.parametrize("ending", ["fails", "gives no answer"])
async def test_after_a_failed_probe_the_next_waiting_call_probes(ending: str) -> None:
    """A waiter with a long timeout does not sleep through the end of the outage."""
    gate = gate_in_outage(SOON)
    tried: list[int] = []

    async def try_once(number: int) -> None:
        epoch = await gate.wait_until_allowed(60)
        assert epoch is not None
        tried.append(number)
        if ending == "fails":
            gate.breaker.record_outage("unavailable", None, epoch)
        else:
            gate.breaker.record_inconclusive(epoch)

    await asyncio.wait_for(asyncio.gather(*(try_once(number) for number in range(5))), 5)
    assert sorted(tried) == [0, 1, 2, 3, 4]


async def test_a_cancelled_waiter_leaves_the_probe_to_others() -> None:
    gate = gate_in_outage(SOON)
    impatient = asyncio.create_task(gate.wait_until_allowed(60))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await gate.wait_until_allowed(5) is not None
    await eventually(impatient.cancelled, within=1)


async def test_during_a_pause_no_call_passes_even_after_an_outage_ends() -> None:
    gate = CallGate(AT_ONCE)
    since = datetime.now(UTC)
    gate.pause(since)
    assert gate.waiting_for == WaitingFor(reason=PAUSED, since=since)
    waiting = asyncio.create_task(gate.wait_until_allowed(10))
    gate.breaker.record_outage("unavailable", None, gate.breaker.epoch)  # by a call that was in flight
    assert not gate.allows_probe
    assert await gate.wait_until_allowed(0.05) is None
    gate.pause(None)
    assert await asyncio.wait_for(waiting, 1) == gate.breaker.epoch
    assert reason(gate) == "unavailable"
    gate.breaker.record_success(gate.breaker.epoch)
    assert not gate.is_blocked


async def test_a_success_during_a_pause_ends_the_outage_and_not_the_pause() -> None:
    gate = gate_in_outage(AT_ONCE)
    epoch = await gate.wait_until_allowed(1)
    assert epoch is not None
    gate.pause(datetime.now(UTC))
    gate.breaker.record_success(epoch)
    assert reason(gate) == PAUSED
    assert gate.breaker.state is BreakerState.CLOSED
    gate.pause(None)
    assert not gate.is_blocked
