"""Hand-written publishing to Kafka: one producer for all requests."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaProducer


class BareKafka:
    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._starting = asyncio.ensure_future(producer.start())

    @classmethod
    async def connect(cls, url: str) -> "BareKafka":
        servers = url.removeprefix("kafka://")
        return cls(AIOKafkaProducer(bootstrap_servers=servers, acks="all", max_batch_size=256 * 1024))

    async def store(self, stream: str, events: Sequence[tuple[str, Mapping[str, str], str]]) -> None:
        """Returns when all are stored."""
        await self._starting
        stored = [
            await self._producer.send(
                stream, data.encode(), key=key.encode(), headers=[(name, v.encode()) for name, v in headers.items()]
            )
            for key, headers, data in events
        ]
        await asyncio.gather(*stored)
