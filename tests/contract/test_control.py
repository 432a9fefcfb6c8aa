"""Control events for all workers: the last value of each key first, then new ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from contract.brokers import Broker
from eventually import eventually

from shared.events import Event, UsageReported
from shared.messaging.broker import Transport
from shared.messaging.cloudevents import encode


def totals(partition: int, requests: float) -> UsageReported:
    attributes = {"day": "2026-11-24", "kind": "topic", "model": "m", "tokens": 5, "cost": 0.25}
    return UsageReported.model_validate(attributes | {"partition": partition, "requests": requests})


def by_key(*events: UsageReported) -> dict[str, UsageReported]:
    return {event.key: event for event in events}


async def publish(transport: Transport, *events: Event) -> None:
    await transport.publish([encode(event, source="test") for event in events])


class Follower:
    """`known`: the last values when it had caught up."""

    def __init__(self) -> None:
        self.last: dict[str, UsageReported] = {}
        self.known: dict[str, UsageReported] | None = None

    def on_event(self, event: Event) -> None:
        assert isinstance(event, UsageReported)
        self.last[event.key] = event

    def caught_up(self) -> None:
        if self.known is None:
            self.known = dict(self.last)


@asynccontextmanager
async def following(transport: Transport) -> AsyncIterator[Follower]:
    """A follower that has caught up."""
    follower = Follower()
    task = asyncio.create_task(transport.follow_control(follower.on_event, follower.caught_up))
    try:
        await eventually(lambda: follower.known is not None, within=20)
        yield follower
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_new_follower_first_gets_the_last_value_of_each_key(broker: Broker) -> None:
    await publish(broker.transport, totals(0, 1), totals(1, 1), totals(0, 2))
    await publish(broker.transport, totals(0, 3))
    async with following(await broker.connect()) as follower:
        assert follower.known == by_key(totals(0, 3), totals(1, 1))


async def test_a_follower_catches_up_with_an_empty_stream(broker: Broker) -> None:
    async with following(broker.transport) as follower:
        assert follower.known == {}


async def test_all_followers_get_new_values(broker: Broker) -> None:
    async with following(broker.transport) as one, following(await broker.connect()) as other:
        await publish(broker.transport, totals(0, 1), totals(1, 7))
        await publish(broker.transport, totals(0, 2))
        expected = by_key(totals(0, 2), totals(1, 7))
        await eventually(lambda: one.last == expected and other.last == expected, within=5)


async def test_control_events_survive_a_restart_of_the_broker_and_are_followed_again(broker: Broker) -> None:
    await publish(broker.transport, totals(0, 1))
    async with following(await broker.connect()) as follower:
        await broker.go_away()
        await broker.come_back()
        assert follower.known == by_key(totals(0, 1))
        await publish(broker.transport, totals(0, 2))
        await eventually(lambda: follower.last == by_key(totals(0, 2)), within=20)
    async with following(await broker.connect()) as follower:
        assert follower.known == by_key(totals(0, 2))
