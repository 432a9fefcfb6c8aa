"""Inspects streams without joining a group: partitions, end offsets, single records, commits of groups."""

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
from aiokafka.structs import OffsetAndMetadata

from shared.errors import BrokerUnreachable
from shared.messaging.kafka.connection import REQUEST_TIMEOUT_SECONDS, Cluster, close_quietly, translated_errors
from shared.messaging.provisioning import PROVISION

FETCH_BYTES = 64 * 1024  # for a single record; Kafka sends at least one, whatever its size
RETRY_BACKOFF_MS = 20  # aiokafka sleeps this long for each new stream, one after the other
CACHE_SECONDS = 30.0  # for partition counts and retention
COORDINATOR_STARTING = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
T = TypeVar("T")


class Inspector:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._starting = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._partitions: dict[str, tuple[float, list[TopicPartition]]] = {}
        self._retention: dict[str, tuple[float, int]] = {}

    async def admin(self) -> AIOKafkaAdminClient:
        """Raises BrokerUnreachable."""
        async with self._starting:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**self._cluster.options)
                try:
                    await _call(admin.start())
                except BaseException:
                    await close_quietly(admin.close())
                    raise
                self._admin = admin
            return self._admin

    async def _client(self) -> AIOKafkaConsumer:
        async with self._starting:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(
                    **self._cluster.options,
                    max_partition_fetch_bytes=FETCH_BYTES,
                    auto_offset_reset="none",
                    retry_backoff_ms=RETRY_BACKOFF_MS,
                )
                try:
                    await _call(consumer.start())
                except BaseException:
                    await close_quietly(consumer.stop())
                    raise
                self._consumer = consumer
            return self._consumer

    async def brokers(self) -> list[int]:
        """Ids of the brokers."""
        cluster = await _call((await self.admin()).describe_cluster())
        return [broker["node_id"] for broker in cluster["brokers"]]

    async def partitions(self, streams: Iterable[str]) -> list[TopicPartition]:
        """Partitions of these streams. Raises BrokerUnreachable, also if one is missing."""
        now = asyncio.get_running_loop().time()
        names = [self._cluster.name(stream) for stream in streams]
        unknown = [n for n in names if n not in self._partitions or now - self._partitions[n][0] > CACHE_SECONDS]
        if unknown:
            for topic in await self.describe_topics(unknown):
                if topic["error_code"]:
                    stream = self._cluster.stream(topic["topic"])
                    raise BrokerUnreachable(f"the stream {stream} is missing in Kafka: {PROVISION}")
                partitions = [TopicPartition(topic["topic"], p["partition"]) for p in topic["partitions"]]
                self._partitions[topic["topic"]] = (now, sorted(partitions))
        return [partition for name in names for partition in self._partitions[name][1]]

    async def describe_topics(self, names: Sequence[str]) -> list[dict[str, Any]]:
        return list(await _call((await self.admin()).describe_topics(list(names))))

    def forget(self, stream: str) -> None:
        """Drops the cached partitions of a stream, after some were added."""
        self._partitions.pop(self._cluster.name(stream), None)

    async def retention(self, topics: Collection[str]) -> Mapping[str, int]:
        """Retention in milliseconds; -1 is forever."""
        now = asyncio.get_running_loop().time()
        unknown = [t for t in topics if t not in self._retention or now - self._retention[t][0] > CACHE_SECONDS]
        for topic, configs in (await self.configs(unknown, ["retention.ms"])).items():
            self._retention[topic] = (now, int(configs.get("retention.ms", -1)))
        return {topic: self._retention[topic][1] for topic in topics}

    async def configs(self, topics: Collection[str], names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Effective values of these settings, by topic."""
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic, dict.fromkeys(names)) for topic in topics]
        responses = await _call((await self.admin()).describe_configs(resources)) if resources else []
        described = [resource for response in responses for resource in response.resources]
        return {topic: {entry[0]: entry[1] for entry in entries} for _, _, _, topic, entries in described}

    async def ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Offset of the next record."""
        return dict(await _call((await self._client()).end_offsets(partitions))) if partitions else {}

    async def beginnings(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Offset of the first record kept, or of the next one."""
        return dict(await _call((await self._client()).beginning_offsets(partitions))) if partitions else {}

    async def commits(
        self, group: str, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """Committed offsets; partitions without one are left out."""
        admin, name = await self.admin(), self._cluster.name(group)

        async def load() -> Mapping[TopicPartition, OffsetAndMetadata]:
            """aiokafka ignores the error in the response, so a coordinator that is loading seems to have no offsets."""
            while True:
                with suppress(*COORDINATOR_STARTING):
                    offsets = await admin.list_consumer_group_offsets(name, partitions=list(partitions))
                    if offsets.keys() >= set(partitions):
                        return offsets  # type: ignore[no-any-return]
                await asyncio.sleep(0.1)

        return {partition: commit for partition, commit in (await _call(load())).items() if commit.offset >= 0}

    async def records(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, ConsumerRecord]:
        """The first record at or after each of these offsets, which must exist."""
        if not offsets:
            return {}
        async with self._reading:
            return await _call(self._read_at(await self._client(), offsets))

    async def _read_at(
        self, consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, ConsumerRecord]:
        first: dict[TopicPartition, ConsumerRecord] = {}
        consumer.assign(list(offsets))
        try:
            for partition, offset in offsets.items():
                consumer.seek(partition, offset)
            while missing := offsets.keys() - first.keys():
                for partition, records in (await consumer.getmany(*missing, timeout_ms=200)).items():
                    first.setdefault(partition, records[0])
            return first
        finally:
            consumer.unsubscribe()

    async def close(self) -> None:
        if self._consumer:
            await close_quietly(self._consumer.stop())
        if self._admin:
            await close_quietly(self._admin.close())


async def _call(request: Awaitable[T]) -> T:
    """The response to a request. Raises BrokerUnreachable if there is none in time."""
    with translated_errors():
        async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
            return await request
