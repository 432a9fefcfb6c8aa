"""Workers that die, stop and restart: their work continues elsewhere, and submissions that kill them are found."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest
from contract.brokers import GROUP, Broker
from contract.submissions import DEAD_LETTERS, SUBMISSIONS, many, names, read_all, submitted, take
from contract.workers import Workers
from eventually import eventually

from shared.errors import NewerVersion, Transient
from shared.events import Requeued
from shared.messaging.cloudevents import Record
from shared.resilience.backoff import RetryPolicy

LONG = RetryPolicy(first_pause=60, longest_pause=60)


async def kill_workers(broker: Broker, deaths: int) -> None:
    """This number of workers start one delivery each and die."""
    for _ in range(deaths):
        member = await broker.member("a")
        await member.started(await take(member, 1))
        await broker.kill(member)


async def test_a_killed_workers_submissions_are_completed_by_another(broker: Broker, workers: Workers) -> None:
    can_end = asyncio.Event()
    for title in names(20):
        workers.handler.answer(title, can_end.wait)
    await broker.transport.publish(many(20))
    killed = await workers.start("a", concurrency=8)
    await eventually(lambda: workers.handler.running.total() == 8, within=15)
    await killed.kill()
    can_end.set()
    await workers.start("b")
    await workers.settled()
    assert await workers.completed() == Counter(names(20))
    assert len(workers.handler.calls) == 28


async def test_a_submission_that_killed_two_workers_runs_alone(broker: Broker, workers: Workers) -> None:
    await broker.transport.publish([submitted("deadly")])
    await kill_workers(broker, 2)
    await broker.transport.publish(many(40))
    worker = await workers.start("a")
    await workers.settled()
    assert workers.handler.most_concurrent["deadly"] == 1
    assert workers.handler.most_running > 1
    assert await workers.completed() == Counter(["deadly", *names(40)])
    assert worker.loop.failed == 0


async def test_a_submission_that_killed_one_worker_runs_beside_others(broker: Broker, workers: Workers) -> None:
    can_end = asyncio.Event()
    workers.handler.answer("unlucky", can_end.wait)
    await broker.transport.publish([submitted("unlucky")])
    await kill_workers(broker, 1)
    await broker.transport.publish(many(5))
    await workers.start("a")
    await eventually(lambda: len(workers.handler.calls) == 6, within=15)
    can_end.set()
    await workers.settled()
    assert (await workers.completed()).total() == 6


async def test_a_submission_that_kills_a_worker_while_alone_fails_and_is_dead_lettered(
    broker: Broker, workers: Workers
) -> None:
    await broker.transport.publish([submitted("deadly")])
    await kill_workers(broker, 3)
    await broker.transport.publish(many(5))
    await workers.start("a")
    await workers.settled()
    assert workers.handler.called("deadly") == 0
    failed = await workers.failed()
    assert failed.keys() == {"deadly"}
    assert (failed["deadly"].error.code, failed["deadly"].dead_lettered) == ("killed_its_worker", True)
    (letter,) = await read_all(broker.transport, DEAD_LETTERS)
    assert (letter.record.headers["dl_error"], letter.record.headers["dl_starts"]) == ("killed_its_worker", "3")
    assert await workers.completed() == Counter(names(5))


async def test_requeued_work_keeps_its_start_count(broker: Broker, workers: Workers) -> None:
    def after(starts: int) -> Requeued:
        return Requeued(n=1, tries=0, starts=starts, since=datetime.now(UTC))

    await broker.transport.publish(
        [submitted("twice", requeued=after(2)), submitted("thrice", requeued=after(3)), *many(20)]
    )
    await workers.start("a")
    await workers.settled()
    assert workers.handler.most_concurrent["twice"] == 1
    assert (await workers.failed()).keys() == {"thrice"}
    assert await workers.completed() == Counter(["twice", *names(20)])


async def test_waiting_to_run_alone_does_not_count_as_a_start(broker: Broker, workers: Workers) -> None:
    forever = asyncio.Event()
    workers.handler.answer("slow", forever.wait)
    requeued = Requeued(n=1, tries=0, starts=2, since=datetime.now(UTC))
    await broker.transport.publish([submitted("slow"), submitted("suspect", requeued=requeued)])
    killed = await workers.start("a")
    await eventually(lambda: killed.loop.in_flight == 2, within=15)
    await killed.kill()
    await workers.start("a")
    await workers.settled()
    assert await workers.completed() == Counter(["slow", "suspect"])


async def test_a_stop_finishes_running_work_hands_back_the_rest_and_loses_nothing(
    broker: Broker, workers: Workers
) -> None:
    can_end = asyncio.Event()
    for title in names(3):
        workers.handler.answer(title, can_end.wait)
    workers.handler.answer("waits", Transient("timeout", "late"))
    await broker.transport.publish([*many(3), submitted("waits")])
    for n in range(10):
        workers.handler.answer(f"later {n}", can_end.wait)
    worker = await workers.start("a", policy=LONG, concurrency=4)
    await eventually(lambda: workers.handler.running.total() >= 3 and workers.handler.called("waits"), within=15)
    await broker.transport.publish([submitted(f"later {n}") for n in range(10)])
    await eventually(lambda: workers.outcome_names("waits"), within=15)
    stopping = asyncio.create_task(worker.stop())
    can_end.set()
    await stopping
    called, completed = len(workers.handler.calls), await workers.completed()
    assert sum(completed.values()) == called - 1
    await worker.consumer.close()
    another = await broker.member("b")
    left = await take(another, 14 - completed.total())
    assert [delivery.starts for delivery in left] == [0] * len(left)
    await another.close()
    await workers.start("c")
    await workers.settled()
    assert await workers.completed() == Counter([*names(3), "waits", *(f"later {n}" for n in range(10))])
    assert workers.handler.called("waits") == 2


async def test_a_stop_starts_no_call(broker: Broker, workers: Workers) -> None:
    await broker.transport.publish([submitted("before")])
    worker = await workers.start("a", poll=5)
    await workers.settled()
    await eventually(lambda: worker.loop.in_flight == 0, within=15)
    worker.loop.stop()
    await broker.transport.publish(many(10))
    await worker.stop()
    assert workers.handler.calls == [("before", 1)]


async def test_a_call_longer_than_the_grace_period_is_handed_back(broker: Broker, workers: Workers) -> None:
    workers.handler.answer("endless", asyncio.Event().wait)
    await broker.transport.publish([submitted("endless")])
    worker = await workers.start("a", shutdown_timeout=0.2)
    await eventually(lambda: workers.handler.running.total(), within=15)
    await worker.stop()
    await worker.consumer.close()
    another = await broker.member("b")
    (back,) = await take(another, 1)
    assert back.starts == 0
    await another.close()
    await workers.start("c")
    await workers.settled()
    assert await workers.completed() == Counter(["endless"])


async def test_a_stop_while_starts_are_stored_begins_no_call_and_counts_none(broker: Broker, workers: Workers) -> None:
    await broker.transport.publish(many(3))
    worker = await workers.start(start=0.5)
    await eventually(lambda: worker.loop.in_flight, within=15)
    await worker.stop()
    assert workers.handler.calls == []
    await worker.consumer.close()
    assert {delivery.starts for delivery in await take(await broker.member("b"), 3)} == {0}


async def test_outcomes_published_before_a_stop_are_stored(broker: Broker, workers: Workers) -> None:
    workers.handler.default_error = Transient("timeout", "late")
    await broker.transport.publish(many(20))
    worker = await workers.start("a", policy=LONG, store=0.2)
    await eventually(lambda: len(workers.handler.calls) == 20 and not workers.handler.running.total(), within=15)
    await worker.stop()
    outcomes = Counter([tuple(await workers.outcome_names(title)) for title in names(20)])
    assert outcomes == {("Started", "Parked"): 20}


async def test_a_stopping_worker_finishes_its_calls_and_starts_no_others(broker: Broker, workers: Workers) -> None:
    can_end = asyncio.Event()
    workers.handler.answer("running", can_end.wait)
    workers.handler.answer("retried", Transient("unusable", "no"))
    await broker.transport.publish([submitted("running"), submitted("retried")])
    worker = await workers.start("a", policy=RetryPolicy(first_pause=0.6, longest_pause=0.6))
    await eventually(lambda: workers.handler.called("retried") and workers.handler.running["running"], within=15)
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(1)
    can_end.set()
    await stopping
    assert workers.handler.called("retried") == 1
    assert set(await workers.completed()) == {"running"}


async def test_an_event_of_a_newer_version_stops_the_worker_and_counts_as_no_start(
    broker: Broker, workers: Workers
) -> None:
    can_end = asyncio.Event()
    workers.handler.answer("paid for", can_end.wait)
    await broker.transport.publish([submitted("paid for")])
    worker = await workers.start("a")
    await eventually(lambda: workers.handler.running.total(), within=15)
    record = submitted("newer version")
    headers = {**record.headers, "ce_type": "topicflow.TopicSubmitted.v2"}
    await broker.transport.publish([Record(SUBMISSIONS, record.key, headers, record.data), submitted("neighbour")])
    await eventually(lambda: worker.loop._is_stopping, within=15)
    can_end.set()
    with pytest.raises(NewerVersion, match=r"TopicSubmitted\.v2"):
        await worker.stop()
    assert (await workers.completed())["paid for"] == 1
    await broker.kill(worker.consumer)
    another = await broker.member("b")
    back = await take(another, 2 - (await workers.completed())["neighbour"])
    assert [delivery.starts for delivery in back] == [0] * len(back)
    assert (await broker.transport.lag(GROUP)).backlog == len(back)
    await another.close()
