"""Members join and leave, and the broker restarts: all work ends, and little runs twice."""

import asyncio
from collections import Counter

import pytest
from contract.brokers import Broker
from contract.submissions import SUBMISSIONS, many, names, read_all, stored, submitted, title_of
from contract.workers import Workers
from eventually import eventually

from shared.errors import BrokerUnreachable, Unavailable
from shared.messaging.cloudevents import Record
from shared.messaging.kafka.connection import MAX_RECORD_BYTES
from shared.resilience.backoff import RetryPolicy

IN_FLIGHT = 5


async def test_a_rebalance_with_all_slots_in_use_stalls_no_worker(broker: Broker, workers: Workers) -> None:
    can_end = asyncio.Event()
    for title in names(60):
        workers.handler.answer(title, can_end.wait)
    both = [await workers.start(name, concurrency=IN_FLIGHT) for name in "ab"]
    await broker.transport.publish(many(60))
    await eventually(lambda: [w.loop.in_flight for w in both] == [IN_FLIGHT, IN_FLIGHT], within=15)
    for _ in range(2):
        await broker.rebalance()
    can_end.set()
    await workers.settled(within=20)
    assert set(await workers.completed()) == set(names(60))
    assert len(workers.handler.calls) <= 60 + 2 * IN_FLIGHT


async def test_work_that_a_member_keeps_in_a_rebalance_does_not_run_again(broker: Broker, workers: Workers) -> None:
    can_end = asyncio.Event()
    for title in names(20):
        workers.handler.answer(title, can_end.wait)
    alone = await workers.start("a")
    await broker.transport.publish(many(20))
    await eventually(lambda: alone.loop.in_flight == 20, within=15)
    await broker.rebalance()
    can_end.set()
    await workers.settled(within=20)
    assert Counter(title for title, _ in workers.handler.calls) == Counter(names(20))
    assert await workers.completed() == Counter(names(20))


async def test_while_one_is_killed_and_one_is_added_everything_is_completed(broker: Broker, workers: Workers) -> None:
    three = [await workers.start(name, concurrency=IN_FLIGHT) for name in "abc"]
    await broker.transport.publish(many(300))
    await eventually(lambda: len(workers.handler.calls) > 60, within=15)
    at_the_kill = sum(worker.unsettled_calls for worker in three)
    await three[0].kill()
    workers.started.remove(three[0])
    at_the_addition = sum(worker.unsettled_calls for worker in three[1:])
    await workers.start("d", concurrency=IN_FLIGHT)
    await workers.settled(within=30)
    assert set(await workers.completed()) == set(names(300))
    assert len(workers.handler.calls) <= 300 + at_the_kill + at_the_addition + 2 * IN_FLIGHT


async def test_work_that_waits_in_a_frozen_worker_is_left_to_its_new_owner(broker: Broker, workers: Workers) -> None:
    workers.handler.default_error = Unavailable("503")
    await broker.transport.publish(many(10))
    frozen = await workers.start("a", policy=RetryPolicy(first_pause=60, longest_pause=60))
    await eventually(lambda: frozen.loop.in_flight == 10 and not workers.handler.running.total(), within=15)
    await broker.freeze(frozen.consumer)
    workers.handler.default_error = None
    another = await workers.start("b")
    await eventually(lambda: workers.completed(), within=15)

    async def all_done() -> bool:
        return await workers.completed() == Counter(names(10))

    await eventually(all_done, within=15)
    called = len(workers.handler.calls)
    await broker.thaw(frozen.consumer)
    frozen.loop.gate.breaker.record_success(frozen.loop.gate.breaker.epoch)
    await eventually(lambda: frozen.loop.in_flight == 0, within=15)
    assert len(workers.handler.calls) == called
    assert another.loop.processed == 10


@pytest.mark.breaks_the_broker
async def test_a_publish_during_a_restart_of_the_broker_is_stored_or_fails(broker: Broker) -> None:
    acknowledged: list[str] = []

    async def publish_for_ever() -> None:
        for n in range(100_000):
            record = submitted(f"topic {n}")
            try:
                await broker.transport.publish([record])
            except BrokerUnreachable:
                await asyncio.sleep(0.05)
            else:
                acknowledged.append(title_of(record))

    publishing = asyncio.create_task(publish_for_ever())
    await eventually(lambda: len(acknowledged) > 50, within=15)
    await broker.go_away()
    await broker.come_back()
    before = len(acknowledged)
    await eventually(lambda: len(acknowledged) > before + 50, within=30)
    publishing.cancel()
    await asyncio.wait([publishing])
    found = {title_of(delivery.record) for delivery in await read_all(broker.transport, SUBMISSIONS)}
    assert set(acknowledged) <= found


async def test_a_poison_record_does_not_delay_its_neighbours(broker: Broker, workers: Workers) -> None:
    key = submitted("same key").key
    poison = Record(SUBMISSIONS, key, {"ce_subject": key}, b"\xff\x00{")
    await broker.transport.publish([submitted("same key", 1), poison, submitted("same key", 2)])
    await workers.start()
    await workers.settled()
    assert sorted(workers.handler.calls) == [("same key", 1), ("same key", 2)]
    assert len(await read_all(broker.transport, f"{SUBMISSIONS}.dead-letter")) == 1


async def test_the_largest_record_that_cannot_be_read_is_dead_lettered_and_holds_nothing_back(
    broker: Broker, workers: Workers
) -> None:
    """A dead letter is larger than its record. Other producers may send more than ours do."""
    largest = Record(SUBMISSIONS, "key", {"ce_subject": "key"}, b"\xff" * (MAX_RECORD_BYTES + 40_000))
    await broker.transport.publish([largest, *many(3)])
    await workers.start()
    await workers.settled(within=30)
    assert len(workers.handler.calls) == 3
    [letter] = await read_all(broker.transport, f"{SUBMISSIONS}.dead-letter")
    assert letter.record.data == largest.data


async def test_a_record_of_several_megabytes_is_stored_and_comes_back(broker: Broker) -> None:
    record = submitted("x" * 6_000_000)
    await broker.transport.publish([record])
    (event,) = await stored(broker.transport, SUBMISSIONS)
    assert event.title == "x" * 6_000_000  # type: ignore[attr-defined]
