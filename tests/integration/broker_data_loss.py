"""Data loss on a broker: of a group, a stream, or entries of a stream."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.protocol.admin import DeleteGroupsRequest
from eventually import eventually
from redis.asyncio import Redis
from servers import Stack
from servers.stack import VALKEY

from shared.streams import Stream


async def lose_group(stack: Stack, stream: Stream, group: str) -> None:
    """Of a group that has no member."""
    if stack.name == VALKEY:
        async with Redis.from_url(stack.broker_url) as redis:
            await redis.xgroup_destroy(stream.name, group)
    else:
        async with _kafka(AIOKafkaAdminClient, stack) as admin:
            coordinator = await admin.find_coordinator(stack.prefix + group)
            answer = await admin._client.send(coordinator, DeleteGroupsRequest([stack.prefix + group]))
            assert [code for _, code in answer.results] == [0]


async def lose_stream(stack: Stack, stream: Stream) -> None:
    """The next publish or provision recreates it."""
    if stack.name == VALKEY:
        async with Redis.from_url(stack.broker_url) as redis:
            await redis.delete(stream.name)
    else:
        async with _kafka(AIOKafkaAdminClient, stack) as admin:
            await admin.delete_topics([stack.prefix + stream.name])
            await eventually(_is_gone(admin, stack.prefix + stream.name), within=10)
        transport = stack.connect()
        await transport.provision()
        await transport.close()


def _is_gone(admin: Any, topic: str) -> Callable[[], Awaitable[bool]]:
    async def is_gone() -> bool:
        return topic not in await admin.list_topics()

    return is_gone


async def lose_all_but_the_newest(stack: Stack, stream: Stream) -> None:
    """As retention does; the newest entry of each partition stays."""
    if stack.name == VALKEY:
        async with Redis.from_url(stack.broker_url) as redis:
            await redis.xtrim(stream.name, maxlen=1, approximate=False)
    else:
        topic = stack.prefix + stream.name
        async with _kafka(AIOKafkaConsumer, stack) as consumer, _kafka(AIOKafkaAdminClient, stack) as admin:
            [found] = await admin.describe_topics([topic])
            ends = await consumer.end_offsets([TopicPartition(topic, p["partition"]) for p in found["partitions"]])
            await admin.delete_records({place: RecordsToDelete(end - 1) for place, end in ends.items() if end > 1})


@asynccontextmanager
async def _kafka(kind: Any, stack: Stack) -> AsyncIterator[Any]:
    client = kind(bootstrap_servers=stack.broker_url.removeprefix("kafka://"))
    await client.start()
    try:
        yield client
    finally:
        await (client.close if kind is AIOKafkaAdminClient else client.stop)()
