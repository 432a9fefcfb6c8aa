"""Every entry of a stream as the broker stores it, read without the product."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis

from servers.stack import VALKEY, Stack
from shared.messaging.kafka.connection import close_quietly

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """`place`: the millisecond in which the broker stored it, comparable between streams, and the order within it."""

    place: Place
    headers: dict[str, str]
    data: bytes


def entries(stack: Stack, stream: str) -> AsyncIterator[Entry]:
    return _in_redis(stack, stream) if stack.name == VALKEY else _in_kafka(stack, stack.prefix + stream)


async def _in_redis(stack: Stack, stream: str) -> AsyncIterator[Entry]:
    async with Redis.from_url(stack.broker_url) as redis:
        found: list[tuple[bytes, dict[bytes, bytes]]] = await redis.xrange(stream)  # type: ignore[assignment]
        for entry_id, fields in found:
            milliseconds, sequence = map(int, entry_id.decode().split("-"))
            headers = {name.decode(): value.decode() for name, value in fields.items() if name != b"data"}
            yield Entry((milliseconds, sequence), headers, fields[b"data"])


async def _in_kafka(stack: Stack, topic: str) -> AsyncIterator[Entry]:
    servers = stack.broker_url.removeprefix("kafka://")
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = list(consumer.assignment())
        ends = await consumer.end_offsets(places)
        while [place for place in places if await consumer.position(place) < ends[place]]:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    headers = {name: value.decode() for name, value in record.headers}
                    yield Entry((record.timestamp, record.offset), headers, record.value)
    finally:
        await close_quietly(consumer.stop())
