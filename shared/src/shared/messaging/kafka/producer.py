"""Publishes records: idempotent, acknowledged by all in-sync replicas, in order per key."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import murmur2

from shared.errors import BrokerUnreachable
from shared.messaging.cloudevents import Record
from shared.messaging.kafka.connection import (
    MAX_DEAD_LETTER_BYTES,
    REQUEST_TIMEOUT_SECONDS,
    Cluster,
    close_quietly,
    headers_of,
    translated_errors,
)

BATCH_BYTES = 256 * 1024  # per partition


class Producer:
    """A client that does not store records in time is abandoned: aiokafka would retry forever, and a repeated publish
    would be stored once per attempt."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._client: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._abandoned: set[asyncio.Task[None]] = set()

    async def store(self, records: Sequence[Record]) -> None:
        """Returns when all records are stored. Raises BrokerUnreachable."""
        with translated_errors():
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                client = await self._connected()
            try:
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                    await self._send(client, records)
            except MessageSizeTooLargeError as error:
                raise BrokerUnreachable(f"Kafka refuses a record because of its size: {error}") from error
            except BaseException:
                self._replace(client)
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

    async def _connected(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._client is None:
                client = AIOKafkaProducer(
                    **self._cluster.options,
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=BATCH_BYTES,
                    max_request_size=MAX_DEAD_LETTER_BYTES,
                    partitioner=partition_of,
                )
                try:
                    await client.start()
                except BaseException:
                    await close_quietly(client.stop())
                    raise
                self._client = client
            return self._client

    def _replace(self, client: AIOKafkaProducer) -> None:
        if client is self._client:
            self._client = None
            ending = asyncio.create_task(abandon(client))
            self._abandoned.add(ending)
            ending.add_done_callback(self._abandoned.discard)

    async def close(self) -> None:
        if self._client:
            await close_quietly(self._client.stop())
        await asyncio.gather(*self._abandoned)


def partition_of(key: bytes, partitions: Sequence[int], available: Sequence[int]) -> int:
    """Same as the Java clients and aiokafka."""
    return partitions[_hash(key) % len(partitions)]


@lru_cache(1_000)
def _hash(key: bytes) -> int:
    """Cached, because it takes 5 µs in Python and each submission has several events within a moment."""
    return int(murmur2(key)) & 0x7FFFFFFF


async def abandon(client: AIOKafkaProducer) -> None:
    """Closes a client without sending its pending records: `stop` alone would wait until they are stored."""
    if client._sender.sender_task:
        client._sender.sender_task.cancel()
    await close_quietly(client.stop())
