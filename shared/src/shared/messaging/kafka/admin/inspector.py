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

ONE_RECORD = 64 * 1024  # bytes to fetch a single record; Kafka sends at least one, whatever its size
SOON = 20  # milliseconds; so long aiokafka rests for each stream that it meets first, one after the other
COUNTED_FOR = 30.0  # seconds that the number of partitions is remembered
NOT_YET = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)  # it is starting
T = TypeVar("T")


class Inspector:
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
                try:
                    await _answer(admin.start())
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
                    max_partition_fetch_bytes=ONE_RECORD,
                    auto_offset_reset="none",
                    retry_backoff_ms=SOON,
                )
                try:
                    await _answer(consumer.start())
                except BaseException:
                    await close_quietly(consumer.stop())
                    raise
                self._consumer = consumer
            return self._consumer

    async def brokers(self) -> list[int]:
        """Ids of the brokers."""
        cluster = await _answer((await self.admin()).describe_cluster())
        return [broker["node_id"] for broker in cluster["brokers"]]

    async def partitions(self, streams: Iterable[str]) -> list[TopicPartition]:
        """Partitions of these streams. Raises BrokerUnreachable, also if one is missing."""
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
        return list(await _answer((await self.admin()).describe_topics(list(names))))

    def forget(self, stream: str) -> None:
        """Number of partitions after some were added."""
        self._counted.pop(self._cluster.name(stream), None)

    async def retention(self, topics: Collection[str]) -> Mapping[str, int]:
        """Retention in milliseconds; -1 is forever."""
        now = asyncio.get_running_loop().time()
        unknown = [t for t in topics if t not in self._kept or now - self._kept[t][0] > COUNTED_FOR]
        for topic, configs in (await self.configs(unknown, ["retention.ms"])).items():
            self._kept[topic] = (now, int(configs.get("retention.ms", -1)))
        return {topic: self._kept[topic][1] for topic in topics}

    async def configs(self, topics: Collection[str], names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Effective values of these settings, by topic."""
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic, dict.fromkeys(names)) for topic in topics]
        answers = await _answer((await self.admin()).describe_configs(resources)) if resources else []
        found = [resource for answer in answers for resource in answer.resources]
        return {topic: {entry[0]: entry[1] for entry in entries} for _, _, _, topic, entries in found}

    async def ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Offset of the next record."""
        return dict(await _answer((await self._client()).end_offsets(places))) if places else {}

    async def beginnings(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Offset of the first record kept, or of the next one."""
        return dict(await _answer((await self._client()).beginning_offsets(places))) if places else {}

    async def commits(self, group: str, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """Committed offsets; partitions without one are left out."""
        admin, name = await self.admin(), self._cluster.name(group)

        async def known() -> Mapping[TopicPartition, OffsetAndMetadata]:
            """aiokafka ignores the error inside a response: a coordinator that is loading seems to have no offsets."""
            while True:
                with suppress(*NOT_YET):
                    found = await admin.list_consumer_group_offsets(name, partitions=list(places))
                    if found.keys() >= set(places):
                        return found  # type: ignore[no-any-return]
                await asyncio.sleep(0.1)

        return {place: commit for place, commit in (await _answer(known())).items() if commit.offset >= 0}

    async def records(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, ConsumerRecord]:
        """The first record at or after each of these offsets, which must exist."""
        found: dict[TopicPartition, ConsumerRecord] = {}
        if not offsets:
            return found
        async with self._looking:
            await _answer(self._seen(await self._client(), offsets, found))
        return found

    async def _seen(
        self, consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int], found: dict[TopicPartition, Any]
    ) -> None:
        consumer.assign(list(offsets))
        try:
            for place, offset in offsets.items():
                consumer.seek(place, offset)
            while missing := offsets.keys() - found.keys():
                for place, records in (await consumer.getmany(*missing, timeout_ms=200)).items():
                    found.setdefault(place, records[0])
        finally:
            consumer.unsubscribe()

    async def close(self) -> None:
        if self._consumer:
            await close_quietly(self._consumer.stop())
        if self._admin:
            await close_quietly(self._admin.close())


async def _answer(question: Awaitable[T]) -> T:
    """Raises BrokerUnreachable if there is none in time."""
    with translated_errors():
        async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
            return await question
