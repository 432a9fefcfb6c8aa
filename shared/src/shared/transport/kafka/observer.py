"""Looks at streams without being a member of anything: partitions, ends, single records, groups' commits."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import OffsetAndMetadata

from shared.errors import BrokerUnreachable
from shared.transport.kafka.connection import PATIENCE, PROVISION, Cluster, gone, reaching

ONE_RECORD = 64 * 1024  # bytes asked for where one record is wanted; Kafka sends at least one, whatever its size
COUNTED_FOR = 30.0  # seconds that the number of partitions is remembered


class Observer:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._starting = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._counted: dict[str, tuple[float, list[TopicPartition]]] = {}
        self._kept: dict[str, tuple[float, int]] = {}

    async def admin(self) -> AIOKafkaAdminClient:
        """Raises BrokerUnreachable."""
        async with self._starting:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**self._cluster.options)
                with reaching():
                    try:
                        await admin.start()
                    except BaseException:
                        await gone(admin.close())
                        raise
                self._admin = admin
            return self._admin

    async def _client(self) -> AIOKafkaConsumer:
        async with self._starting:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(**self._cluster.options, max_partition_fetch_bytes=ONE_RECORD)
                try:
                    await consumer.start()
                except BaseException:
                    await gone(consumer.stop())
                    raise
                self._consumer = consumer
            return self._consumer

    async def partitions(self, streams: Iterable[str]) -> list[TopicPartition]:
        """Of these streams. Raises BrokerUnreachable, also where one is missing."""
        now = asyncio.get_running_loop().time()
        names = [self._cluster.name(stream) for stream in streams]
        unknown = [n for n in names if n not in self._counted or now - self._counted[n][0] > COUNTED_FOR]
        if unknown:
            for topic in await self.described(unknown):
                if topic["error_code"]:
                    stream = self._cluster.stream(topic["topic"])
                    raise BrokerUnreachable(f"the stream {stream} is missing in Kafka: {PROVISION}")
                found = [TopicPartition(topic["topic"], p["partition"]) for p in topic["partitions"]]
                self._counted[topic["topic"]] = (now, sorted(found))
        return [place for name in names for place in self._counted[name][1]]

    async def described(self, names: Sequence[str]) -> list[dict[str, Any]]:
        admin = await self.admin()
        with reaching():
            async with asyncio.timeout(PATIENCE):
                return list(await admin.describe_topics(list(names)))

    async def retention(self, topics: Collection[str]) -> Mapping[str, int]:
        """Milliseconds that records of these are kept, -1 for ever."""
        now = asyncio.get_running_loop().time()
        unknown = [t for t in topics if t not in self._kept or now - self._kept[t][0] > COUNTED_FOR]
        if unknown:
            admin = await self.admin()
            asked = [ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": None}) for topic in unknown]
            with reaching():
                async with asyncio.timeout(PATIENCE):
                    answers = await admin.describe_configs(asked)
            for _, _, _, topic, entries in (resource for answer in answers for resource in answer.resources):
                self._kept[topic] = (now, next((int(entry[1]) for entry in entries), -1))
        return {topic: self._kept[topic][1] for topic in topics}

    async def ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where the next record will be."""
        with reaching():
            async with asyncio.timeout(PATIENCE):
                return dict(await (await self._client()).end_offsets(places)) if places else {}

    async def beginnings(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The first that is kept, or where it will be."""
        with reaching():
            async with asyncio.timeout(PATIENCE):
                return dict(await (await self._client()).beginning_offsets(places)) if places else {}

    async def commits(self, group: str, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """Only those that there are."""
        admin = await self.admin()
        with reaching():
            async with asyncio.timeout(PATIENCE):
                found = await admin.list_consumer_group_offsets(self._cluster.name(group), partitions=list(places))
        return {place: commit for place, commit in found.items() if commit.offset >= 0}

    async def records(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, ConsumerRecord]:
        """The first record at or after each of these, which must be there."""
        found: dict[TopicPartition, ConsumerRecord] = {}
        if not offsets:
            return found
        async with self._looking:
            with reaching():
                async with asyncio.timeout(PATIENCE):
                    consumer = await self._client()
                    consumer.assign(list(offsets))
                    for place, offset in offsets.items():
                        consumer.seek(place, offset)
                    try:
                        while len(found) < len(offsets):
                            missing = offsets.keys() - found.keys()
                            for place, records in (await consumer.getmany(*missing, timeout_ms=200)).items():
                                found.setdefault(place, records[0])
                    finally:
                        consumer.unsubscribe()
        return found

    async def close(self) -> None:
        if self._consumer:
            await gone(self._consumer.stop())
        if self._admin:
            await gone(self._admin.close())
