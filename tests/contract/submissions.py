"""Records that contract tests publish, and helpers that fetch, settle and read them."""

import time
from collections.abc import Sequence
from typing import Any

import factories

from shared.events import Event, TopicSubmitted
from shared.messaging.broker import START, Consumer, Delivery, LoadPositions, Positions, Settled, Transport
from shared.messaging.cloudevents import Record, decode

SUBMISSIONS, OUTCOMES = "topic-submissions", "submission-outcomes"
DEAD_LETTERS = f"{SUBMISSIONS}.dead-letter"


def submitted(title: str, attempt: int = 1, **fields: Any) -> Record:
    return factories.record(factories.topic_submitted(title, attempt, **fields))


def removed(title: str, attempt: int = 1) -> Record:
    return factories.record(factories.removed(title, attempt))


def started(title: str, attempt: int = 1) -> Record:
    return factories.record(factories.started(title, attempt))


def many(count: int) -> list[Record]:
    return [submitted(f"topic {n}") for n in range(count)]


def title_of(record: Record) -> str:
    event = decode(record).event
    assert isinstance(event, TopicSubmitted)
    return event.title


def titles(deliveries: Sequence[Delivery]) -> list[str]:
    return sorted(title_of(delivery.record) for delivery in deliveries)


def names(count: int) -> list[str]:
    return sorted(f"topic {n}" for n in range(count))


async def take(member: Consumer, count: int, *, within: float = 10.0, each: int = 1000) -> list[Delivery]:
    """Fetches exactly this number of deliveries, at most `each` at a time."""
    taken: list[Delivery] = []
    deadline = time.monotonic() + within
    while len(taken) < count:
        assert time.monotonic() < deadline, f"{len(taken)} of {count} deliveries within {within} s"
        limit = min(each, count - len(taken))
        given = await member.fetch(limit, 0.1)
        assert len(given) <= limit
        taken += given
    return taken


async def fetched_during(member: Consumer, *, during: float) -> list[Delivery]:
    """All deliveries in this number of seconds, to check that there are none."""
    given: list[Delivery] = []
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        given += await member.fetch(100, 0.1)
    return given


async def end(member: Consumer, deliveries: Sequence[Delivery]) -> None:
    await member.settle([Settled(delivery=delivery) for delivery in deliveries])


def reading_from(stored: Positions) -> LoadPositions:
    async def load(partition: int) -> Positions:
        return stored

    return load


async def read_all(transport: Transport, stream: str, load: LoadPositions | None = None) -> list[Delivery]:
    """Everything from the positions on."""
    load = load or reading_from({})
    reader = await transport.reader("everything", "a", [stream], load)
    positions = {p: {stream: (await load(p)).get(stream, START)} for p in await transport.end_positions([stream])}
    found: list[Delivery] = []
    while await transport.oldest_after(positions):
        batch = await reader.read(100, 5.0)
        assert batch, f"{stream} has more, but nothing is read"
        found += batch.deliveries
        positions |= {partition: dict(of) for partition, of in batch.positions.items()}
    await reader.close()
    return found


async def stored(transport: Transport, stream: str) -> list[Event]:
    return [decode(delivery.record).event for delivery in await read_all(transport, stream)]
