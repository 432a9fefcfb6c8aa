"""Guarantees of settling: bounded, once, and stored together with its records."""

import asyncio
from datetime import UTC, datetime

import pytest
from contract.brokers import GROUP, Broker
from contract.submissions import OUTCOMES, end, fetched_during, many, names, stored, submitted, take, title_of, titles

from shared.errors import BrokerFull, BrokerUnreachable
from shared.events import Submitted
from shared.messaging.broker import Lag, Settled
from shared.messaging.cloudevents import decode
from shared.worker.run import Run


async def test_a_fetch_returns_no_more_than_its_limit(broker: Broker) -> None:
    await broker.transport.publish(many(20))
    member = await broker.member()
    assert titles(await take(member, 20, each=3)) == names(20)


async def test_an_empty_fetch_times_out_and_a_waiting_one_is_woken(broker: Broker) -> None:
    member = await broker.member()
    assert await member.fetch(5, 0.01) == []
    await broker.transport.publish(many(1))
    assert len(await take(member, 1)) == 1
    assert await member.fetch(5, 0.01) == []


async def test_settled_deliveries_are_never_delivered_again_not_even_to_a_new_member(broker: Broker) -> None:
    await broker.transport.publish(many(30))
    member = await broker.member("a")
    taken = await take(member, 30)
    await end(member, taken[::2])
    await broker.kill(member)
    another = await broker.member("b")
    assert titles(await take(another, 15)) == titles(taken[1::2])
    assert await fetched_during(another, during=2 * broker.idle) == []


async def test_records_and_acknowledgement_are_stored_together_and_in_order(broker: Broker) -> None:
    await broker.transport.publish([submitted("Chat System")])
    member = await broker.member()
    (delivery,) = await take(member, 1)
    event = decode(delivery.record).event
    assert isinstance(event, Submitted)
    run = Run(event, "worker")
    reported = [run.started(), run.parked("outage", None), run.started(), run.completed({}, simulated=True)]
    outcomes = [run.encode(event) for event in reported]
    await member.settle([Settled(outcomes[:2]), Settled(outcomes[2:], delivery)])
    assert [type(event).__name__ for event in await stored(broker.transport, OUTCOMES)] == [
        "SubmissionStarted",
        "SubmissionParked",
        "SubmissionStarted",
        "SubmissionCompleted",
    ]
    assert await broker.transport.lag(GROUP) == Lag(0, 0)


async def test_settling_twice_is_harmless(broker: Broker) -> None:
    await broker.transport.publish(many(2))
    member = await broker.member()
    first, second = both = await take(member, 2)
    await member.started(both)
    await end(member, [first])
    await end(member, [first])
    assert await broker.transport.lag(GROUP) == Lag(0, 1)
    await end(member, [second])
    assert await broker.transport.lag(GROUP) == Lag(0, 0)


async def test_lag_counts_unsettled_events(broker: Broker) -> None:
    assert await broker.transport.lag(GROUP) == Lag(0, 0)
    await broker.transport.publish(many(20))
    assert await broker.transport.lag(GROUP) == Lag(20, 0)
    member = await broker.member()
    taken = await take(member, 8)
    await member.started(taken)
    assert await broker.transport.lag(GROUP) == Lag(12, 8)
    await end(member, taken[4:])
    assert await broker.transport.lag(GROUP) == Lag(12, 4)


async def test_lag_has_the_time_of_the_oldest_unsettled_event(broker: Broker) -> None:
    assert (await broker.transport.lag(GROUP)).oldest is None
    await broker.transport.publish([submitted("first")])
    await asyncio.sleep(0.01)  # brokers have millisecond timestamps
    await broker.transport.publish([submitted("second")])
    waiting = await broker.transport.lag(GROUP)
    assert waiting.oldest
    assert abs((datetime.now(UTC) - waiting.oldest).total_seconds()) < 5
    member = await broker.member()
    first, second = sorted(await take(member, 2), key=lambda delivery: title_of(delivery.record))
    assert (await broker.transport.lag(GROUP)).oldest == waiting.oldest
    await end(member, [first])
    in_flight = await broker.transport.lag(GROUP)
    assert in_flight.oldest
    assert in_flight.oldest > waiting.oldest
    await end(member, [second])
    assert (await broker.transport.lag(GROUP)).oldest is None


async def test_without_retention_no_unread_event_is_lost(broker: Broker) -> None:
    await broker.transport.publish(many(2))
    assert (await broker.transport.lag(GROUP)).expires_at is None


async def test_without_a_limit_there_is_no_memory_share(broker: Broker) -> None:
    assert await broker.transport.memory_share() is None


async def test_the_memory_share_is_the_used_part_of_the_limit(broker: Broker) -> None:
    await broker.limit_memory(8 * 1024**2)
    empty = await broker.transport.memory_share()
    await broker.transport.publish(many(1000))
    fuller = await broker.transport.memory_share()
    assert empty is not None
    assert fuller is not None
    assert 0 <= empty < fuller < 1
    await broker.limit_memory(1)
    full = await broker.transport.memory_share()
    assert full is not None
    assert full >= 1


async def test_a_full_broker_refuses_records_and_accepts_acknowledgements_without_records(broker: Broker) -> None:
    await broker.transport.publish(many(2))
    member = await broker.member()
    both = await take(member, 2)
    await broker.limit_memory(1)
    with pytest.raises(BrokerFull):
        await broker.transport.publish([submitted("one too many")])
    with pytest.raises(BrokerFull):
        await member.settle([Settled([submitted("its outcome")], both[0]), Settled(delivery=both[1])])
    assert await broker.transport.lag(GROUP) == Lag(0, 2)
    await end(member, both[1:])
    assert await broker.transport.lag(GROUP) == Lag(0, 1)
    await broker.limit_memory(None)
    await broker.transport.publish([submitted("one too many")])
    assert await broker.transport.lag(GROUP) == Lag(1, 1)


@pytest.mark.breaks_the_broker
async def test_nothing_is_settled_while_the_broker_is_down(broker: Broker) -> None:
    await broker.transport.publish(many(3))
    member = await broker.member()
    taken = await take(member, 3)
    await member.started(taken)
    await broker.go_away()
    with pytest.raises(BrokerUnreachable):
        await end(member, taken[:2])
    with pytest.raises(BrokerUnreachable):
        await member.fetch(3, 0.1)
    with pytest.raises(BrokerUnreachable):
        await broker.transport.publish(many(1))
    await broker.come_back()
    await end(member, taken[:2])
    assert await fetched_during(member, during=3 * broker.idle) == []
    assert await broker.transport.lag(GROUP) == Lag(0, 1)
