"""What is told to all workers: the last value of each key, before anything else, and what becomes new."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from contract.brokers import Broker
from eventually import eventually

from shared.events import Event, UsageTotals
from shared.messaging.broker import Transport
from shared.messaging.cloudevents import encode


def totals(partition: int, requests: float) -> UsageTotals:
    about = {"day": "2026-11-24", "kind": "topic", "model": "m", "tokens": 5, "cost": 0.25}
    return UsageTotals.model_validate(about | {"partition": partition, "requests": requests})


def by_key(*events: UsageTotals) -> dict[str, UsageTotals]:
    return {event.key: event for event in events}


async def tell(transport: Transport, *events: Event) -> None:
    await transport.publish([encode(event, source="test") for event in events])


class Told:
    """`known`: what it knew when it had caught up."""

    def __init__(self) -> None:
        self.last: dict[str, UsageTotals] = {}
        self.known: dict[str, UsageTotals] | None = None

    def note(self, event: Event) -> None:
        assert isinstance(event, UsageTotals)
        self.last[event.key] = event

    def caught_up(self) -> None:
        if self.known is None:
            self.known = dict(self.last)


@asynccontextmanager
async def following(transport: Transport) -> AsyncIterator[Told]:
    """From when it has caught up."""
    told = Told()
    task = asyncio.create_task(transport.follow_control(told.note, told.caught_up))
    try:
        await eventually(lambda: told.known is not None, within=20)
        yield told
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_who_comes_later_knows_the_last_value_of_each_key_before_anything_else(broker: Broker) -> None:
    await tell(broker.transport, totals(0, 1), totals(1, 1), totals(0, 2))
    await tell(broker.transport, totals(0, 3))
    async with following(await broker.connect()) as told:
        assert told.known == by_key(totals(0, 3), totals(1, 1))


async def test_where_nothing_was_ever_told_that_is_known_too(broker: Broker) -> None:
    async with following(broker.transport) as told:
        assert told.known == {}


async def test_all_who_follow_are_told_what_becomes_new(broker: Broker) -> None:
    async with following(broker.transport) as one, following(await broker.connect()) as other:
        await tell(broker.transport, totals(0, 1), totals(1, 7))
        await tell(broker.transport, totals(0, 2))
        wanted = by_key(totals(0, 2), totals(1, 7))
        await eventually(lambda: one.last == wanted and other.last == wanted, within=5)


async def test_what_was_told_outlives_the_broker_and_is_followed_again(broker: Broker) -> None:
    await tell(broker.transport, totals(0, 1))
    async with following(await broker.connect()) as told:
        await broker.go_away()
        await broker.come_back()
        assert told.known == by_key(totals(0, 1))
        await tell(broker.transport, totals(0, 2))
        await eventually(lambda: told.last == by_key(totals(0, 2)), within=20)
    async with following(await broker.connect()) as told:
        assert told.known == by_key(totals(0, 2))
