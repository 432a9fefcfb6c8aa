"""Stores records: idempotent, acknowledged by all replicas that are in sync, in order per key."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import murmur2

from shared.errors import BrokerUnreachable
from shared.messaging.cloudevents import Record
from shared.messaging.kafka.connection import MOST_BYTES, PATIENCE, Cluster, gone, headers_of, reaching

BATCH_BYTES = 256 * 1024  # of one partition


class Producer:
    """What is not stored in time is given up together with the client that has it: aiokafka would go on trying for
    ever, and who sends it again would have it stored as often as it was sent."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._client: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._given_up: set[asyncio.Task[None]] = set()

    async def store(self, records: Sequence[Record]) -> None:
        """Returns when all are stored. Raises BrokerUnreachable."""
        with reaching():
            async with asyncio.timeout(PATIENCE):
                client = await self._started()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._send(client, records)
            except MessageSizeTooLargeError as error:
                raise BrokerUnreachable(f"Kafka refuses a record for its size: {error}") from error
            except BaseException:
                self._give_up(client)
                raise

    async def _send(self, client: AIOKafkaProducer, records: Sequence[Record]) -> None:
        futures = [
            await client.send(
                self._cluster.name(record.stream),
                record.data,
                key=record.key.encode(),
                headers=headers_of(record),
            )
            for record in records
        ]
        for future in futures:
            await future

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._client is None:
                client = AIOKafkaProducer(
                    **self._cluster.options,
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=BATCH_BYTES,
                    max_request_size=MOST_BYTES,
                    partitioner=partition_of,
                )
                try:
                    await client.start()
                except BaseException:
                    await gone(client.stop())
                    raise
                self._client = client
            return self._client

    def _give_up(self, client: AIOKafkaProducer) -> None:
        if client is self._client:
            self._client = None
            ending = asyncio.create_task(abandon(client))
            self._given_up.add(ending)
            ending.add_done_callback(self._given_up.discard)

    async def close(self) -> None:
        if self._client:
            await gone(self._client.stop())
        await asyncio.gather(*self._given_up)


def partition_of(key: bytes, partitions: Sequence[int], available: Sequence[int]) -> int:
    """As Java's clients do it, and aiokafka."""
    return partitions[_hash(key) % len(partitions)]


@lru_cache(1_000)
def _hash(key: bytes) -> int:
    """In Python it takes 5 µs, and each submission is told of several times in a moment."""
    return int(murmur2(key)) & 0x7FFFFFFF


async def abandon(client: AIOKafkaProducer) -> None:
    """Without sending what it still has: `stop` alone would wait until that is stored."""
    if client._sender.sender_task:
        client._sender.sender_task.cancel()
    await gone(client.stop())
