"""An outage of Gemini or of the broker: work waits visibly, spends no try, and resumes by itself."""

import asyncio
from collections import Counter

import pytest
from contract.brokers import Broker
from contract.submissions import many, names, submitted
from contract.workers import Worker, Workers, remains
from eventually import eventually

from shared.errors import RateLimited, Transient, Unavailable
from shared.events import SubmissionParked
from shared.resilience.backoff import RetryPolicy

PATIENT = RetryPolicy(first_pause=60, longest_pause=60)
OUT = Unavailable("503")


async def test_an_outage_parks_all_work_spends_no_try_and_ends_by_itself(broker: Broker, workers: Workers) -> None:
    workers.handler.default_error = OUT
    await broker.transport.publish(many(40))
    worker = await workers.start(concurrency=10)
    await eventually(lambda: len(workers.handler.calls) >= 18, within=15)
    waiting_for = worker.loop.gate.waiting_for
    assert waiting_for
    assert (waiting_for.reason, worker.loop.in_flight) == ("unavailable", 10)
    parked = [outcome for outcome in await workers.outcomes() if isinstance(outcome, SubmissionParked)]
    assert {outcome.reason for outcome in parked} == {"unavailable"}
    assert len({outcome.id for outcome in parked}) == 10
    workers.handler.default_error = None
    await workers.settled()
    assert await workers.completed() == Counter(names(40))
    assert {outcome.tries for outcome in await workers.outcomes()} == {0}
    assert worker.loop.gate.waiting_for is None


async def test_during_an_outage_one_submission_probes_at_a_time(broker: Broker, workers: Workers) -> None:
    workers.handler.default_error = OUT
    await broker.transport.publish(many(40))
    worker = await workers.start(concurrency=10)
    await eventually(lambda: worker.loop.gate.is_blocked and not workers.handler.running.total(), within=15)
    workers.handler.most_running = 0
    begun = len(workers.handler.calls)
    await eventually(lambda: len(workers.handler.calls) >= begun + 8, within=15)
    assert workers.handler.most_running == 1
    assert worker.loop.in_flight == 10


async def test_a_late_success_does_not_end_an_outage_that_began_meanwhile(broker: Broker, workers: Workers) -> None:
    can_end = asyncio.Event()
    workers.handler.answer("late", can_end.wait)
    workers.handler.answer("limited", RateLimited("429", retry_after=60))
    await broker.transport.publish([submitted("late"), submitted("limited")])
    worker = await workers.start()
    await eventually(lambda: worker.loop.gate.is_blocked, within=15)
    can_end.set()
    await eventually(workers.completed, within=15)
    assert worker.loop.gate.waiting_for
    assert worker.loop.gate.waiting_for.reason == "rate_limited"
    assert workers.handler.called("limited") == 1


async def test_concurrent_failures_count_as_one(broker: Broker, workers: Workers) -> None:
    workers.handler.default_error = OUT
    await broker.transport.publish(many(20))
    worker = await workers.start(concurrency=20, policy=RetryPolicy(first_pause=20, longest_pause=4000))
    await eventually(lambda: len(workers.handler.calls) == 20 and not workers.handler.running.total(), within=15)
    waiting_for = worker.loop.gate.waiting_for
    assert waiting_for
    assert waiting_for.until
    assert 9 < (waiting_for.until - waiting_for.since).total_seconds() <= 20


async def test_after_a_probe_without_an_answer_another_submission_probes(broker: Broker, workers: Workers) -> None:
    for title in names(6):
        workers.handler.answer(title, OUT, ZeroDivisionError("bug"))
    workers.handler.answer("last", OUT)
    await broker.transport.publish([*many(2), submitted("last")])
    await workers.start()
    await workers.settled(within=15)
    assert await workers.completed() == Counter(["last"])
    assert set(await workers.failed()) == set(names(2))


async def test_a_probe_that_fails_for_another_reason_spends_a_try_and_the_outage_continues(
    broker: Broker, workers: Workers
) -> None:
    workers.handler.answer("probe", OUT, Transient("timeout", "late"), OUT)
    await broker.transport.publish([submitted("probe")])
    await workers.start()
    await workers.settled()
    assert [o.tries for o in await workers.outcomes("probe")] == [0, 0, 0, 1, 1, 1, 1, 1]


async def test_a_requested_longer_pause_is_respected(broker: Broker, workers: Workers) -> None:
    workers.handler.answer("limited", RateLimited("429", retry_after=1.0))
    await broker.transport.publish([submitted("limited")])
    await workers.start()
    await workers.settled()
    outcomes = await workers.outcomes("limited")
    parked = outcomes[1]
    assert isinstance(parked, SubmissionParked)
    assert parked.until
    assert (parked.reason, [type(outcome) for outcome in outcomes].count(SubmissionParked)) == ("rate_limited", 1)


@pytest.mark.breaks_the_broker
async def test_outcomes_wait_for_a_broker_that_was_killed_and_nothing_runs_twice(
    broker: Broker, workers: Workers
) -> None:
    broker.idle = max(6.0, broker.idle)  # time for the members to rejoin
    can_end = asyncio.Event()
    for title in names(40):
        workers.handler.answer(title, can_end.wait)
    both = [await workers.start(name, concurrency=10) for name in "ab"]
    await broker.transport.publish(many(40))
    await eventually(lambda: workers.handler.running.total() == 20, within=15)
    await broker.go_away()
    can_end.set()
    await eventually(lambda: all(map(waits_for_the_broker, both)), within=10)
    assert workers.handler.running.total() == 0
    await broker.come_back()
    await workers.settled()
    assert await workers.completed() == Counter(names(40))
    assert Counter(title for title, _ in workers.handler.calls) == Counter(names(40))


async def test_outcomes_wait_for_memory_in_a_full_broker_and_nothing_runs_twice(
    broker: Broker, workers: Workers
) -> None:
    can_end = asyncio.Event()
    for title in names(40):
        workers.handler.answer(title, can_end.wait)
    both = [await workers.start(name, concurrency=10) for name in "ab"]
    await broker.transport.publish(many(40))
    await eventually(lambda: workers.handler.running.total() == 20, within=15)
    await broker.limit_memory(1)
    can_end.set()
    await eventually(lambda: all(map(waits_for_the_broker, both)), within=10)
    await remains(lambda: not any(worker.running.done() for worker in both), during=3 * broker.idle)
    await broker.limit_memory(None)
    await workers.settled()
    assert await workers.completed() == Counter(names(40))
    assert Counter(title for title, _ in workers.handler.calls) == Counter(names(40))


@pytest.mark.breaks_the_broker
async def test_work_that_runs_longer_than_a_broker_outage_is_not_taken_over(broker: Broker, workers: Workers) -> None:
    """All entries look idle when the broker is back, and the members have to rejoin."""
    broker.idle = max(3.0, broker.idle)
    can_end = asyncio.Event()
    for title in names(20):
        workers.handler.answer(title, can_end.wait)
    both = [await workers.start(name) for name in "ab"]
    await broker.transport.publish(many(20))
    await eventually(lambda: workers.handler.running.total() == 20, within=15)
    await broker.go_away()
    await remains(lambda: True, during=2 * broker.idle)
    await broker.come_back()
    await remains(lambda: workers.handler.running.total() == 20, during=2 * broker.idle)
    can_end.set()
    await workers.settled()
    assert Counter(title for title, _ in workers.handler.calls) == Counter(names(20))
    assert await workers.completed() == Counter(names(20))
    assert not any(map(waits_for_the_broker, both))


def waits_for_the_broker(worker: Worker) -> bool:
    return worker.loop.writer.broker_error is not None
