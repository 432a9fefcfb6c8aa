"""Guarantees of publishing: stored when it returns, in order per key, and work events once."""

import asyncio

import pytest
from contract.brokers import GROUP, Broker
from contract.submissions import (
    DEAD_LETTERS,
    OUTCOMES,
    SUBMISSIONS,
    end,
    many,
    names,
    read_all,
    removed,
    stored,
    submitted,
    take,
    titles,
)

from shared.events import Submitted
from shared.messaging.cloudevents import Record, decode
from shared.worker.run import Run


def run_of(title: str) -> Run:
    event = decode(submitted(title)).event
    assert isinstance(event, Submitted)
    return Run(event, "worker")


async def test_batches_are_stored_in_order_per_key(broker: Broker) -> None:
    keys = [f"topic {n}" for n in range(20)]
    for first in range(1, 1200, 400):
        await broker.transport.publish([submitted(key, n) for n in range(first, first + 400) for key in keys[:3]])
    await broker.transport.publish([submitted(key) for key in keys[3:]])
    attempts: dict[str, list[int]] = {}
    for delivery in await read_all(broker.transport, SUBMISSIONS):
        attempts.setdefault(delivery.record.key, []).append(int(decode(delivery.record).event.attempt))  # type: ignore[attr-defined]
    in_order = [list(range(1, 1201))] * 3 + [[1]] * 17
    assert sorted(attempts.values(), key=len, reverse=True) == in_order


async def test_a_record_comes_back_as_it_was_published(broker: Broker) -> None:
    record = submitted("Überweisung \u0000 \U0001f4a1", force=True)
    await broker.transport.publish([record])
    (delivery,) = await read_all(broker.transport, SUBMISSIONS)
    assert (delivery.record.key, delivery.record.data) == (record.key, record.data)
    assert dict(delivery.record.headers) == dict(record.headers)


async def test_work_events_are_stored_once_per_event_id_on_brokers_that_know_ids(broker: Broker) -> None:
    """Elsewhere the worker that owns the partition runs no attempt twice."""
    if not broker.drops_repeats:
        pytest.skip("knows no ids")
    other = await broker.connect()
    record = submitted("Chat System")
    await asyncio.gather(*(transport.publish([record, record]) for transport in (broker.transport, other)))
    await other.publish([submitted("Chat System"), submitted("Chat System", attempt=2)])
    await other.publish([removed("Chat System"), removed("Chat System")])
    assert len(await stored(broker.transport, SUBMISSIONS)) == 3


async def test_other_events_are_stored_as_often_as_they_are_published(broker: Broker) -> None:
    run = run_of("Chat System")
    started = run.encode(run.started())
    await broker.transport.publish([started, started])
    assert len(await stored(broker.transport, OUTCOMES)) == 2


async def test_an_unreadable_record_is_stored_like_any_other(broker: Broker) -> None:
    records = [
        Record(SUBMISSIONS, "key", {"ce_subject": "key"}, b"\xff\x00{"),
        Record(DEAD_LETTERS, "key", {"ce_subject": "key", "dl_id": "1"}, b""),
    ]
    await broker.transport.publish(records)
    for record in records:
        (delivery,) = await read_all(broker.transport, record.stream)
        assert (delivery.record.key, delivery.record.data) == (record.key, record.data)


async def test_publishing_nothing_is_nothing(broker: Broker) -> None:
    await broker.transport.publish([])
    assert await stored(broker.transport, SUBMISSIONS) == []


async def test_nothing_that_was_published_before_the_first_worker_is_lost(broker: Broker) -> None:
    await broker.transport.publish(many(50))
    member = await broker.member()
    assert titles(await take(member, 50)) == names(50)


async def test_provisioning_again_changes_nothing(broker: Broker) -> None:
    await broker.transport.publish(many(10))
    member = await broker.member()
    await end(member, await take(member, 4))
    assert await broker.transport.provision() == []
    assert await (await broker.connect()).provision() == []
    assert len(await stored(broker.transport, SUBMISSIONS)) == 10
    lag = await broker.transport.lag(GROUP)
    assert lag.waiting + lag.in_flight == 6
