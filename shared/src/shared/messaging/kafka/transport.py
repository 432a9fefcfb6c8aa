"""Kafka as a `Transport`; the other modules of this package do the work."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from aiokafka import TopicPartition
from faststream.kafka import KafkaBroker

from shared.events import Event
from shared.messaging.broker import Lag, LoadPositions, OnHeartbeat, Positions
from shared.messaging.cloudevents import Record
from shared.messaging.kafka.admin import lag, provisioning, reconcile
from shared.messaging.kafka.admin.inspector import Inspector
from shared.messaging.kafka.admin.topic_configs import TopicLayout
from shared.messaging.kafka.broadcast import follow_control, follow_heartbeats
from shared.messaging.kafka.connection import Cluster, Login, stored_at
from shared.messaging.kafka.consumer import KafkaConsumer
from shared.messaging.kafka.positions import Position
from shared.messaging.kafka.producer import Producer
from shared.messaging.kafka.reader import KafkaReader
from shared.messaging.provisioning import ProvisioningPlan, create_missing
from shared.messaging.settings import BrokerSettings
from shared.streams import Stream


class KafkaTransport:
    """`session_timeout`: seconds without a heartbeat after which a member's partitions are reassigned."""

    def __init__(
        self, cluster: Cluster, layout: TopicLayout, *, session_timeout: float = 10.0, is_static: bool = False
    ) -> None:
        """`is_static`: members have stable names, and one that returns within the session timeout keeps its
        partitions."""
        self._cluster = cluster
        self._layout = layout
        self._session_timeout = session_timeout
        self._is_static = is_static
        self._producer = Producer(cluster)
        self._inspector = Inspector(cluster)

    @classmethod
    def of(cls, settings: BrokerSettings) -> Self:
        login = None
        if settings.kafka_username and settings.kafka_password:
            login = Login(settings.kafka_sasl, settings.kafka_username, settings.kafka_password.get_secret_value())
        return cls(
            Cluster(settings.kafka_servers, settings.stream_prefix, settings.tls(), login),
            TopicLayout(settings.partitions, settings.replication, settings.min_insync, settings.retain),
            session_timeout=settings.session_timeout_seconds,
            is_static=bool(settings.instance_name),
        )

    async def check(self) -> None:
        await provisioning.check_session_timeout(self._inspector, self._session_timeout)

    async def provision(self) -> list[str]:
        existing = await provisioning.find_streams(self._cluster, self._inspector)
        plan = await provisioning.plan_missing(self._cluster, self._inspector, self._layout, existing)
        return await create_missing(plan)

    async def plan(self, partitions: int | None = None) -> ProvisioningPlan:
        return await reconcile.plan(self._cluster, self._inspector, self._layout, partitions)

    async def set_positions(self, group: str, stream: str, positions: Mapping[int, Positions]) -> None:
        await provisioning.set_positions(self._cluster, group, stream, positions)

    async def publish(self, records: Sequence[Record]) -> None:
        if records:
            await self._producer.store(records)

    async def consumer(self, group: str, member: str) -> KafkaConsumer:
        consumer = KafkaConsumer(
            self._cluster,
            self._inspector,
            self._producer,
            group,
            member=member if self._is_static else None,
            session_timeout=self._session_timeout,
        )
        await consumer.open()
        return consumer

    async def reader(self, group: str, member: str, streams: Sequence[str], load: LoadPositions) -> KafkaReader:
        reader = KafkaReader(
            self._cluster,
            self._inspector,
            group,
            streams,
            load,
            member=member if self._is_static else None,
            session_timeout=self._session_timeout,
        )
        await reader.open()
        return reader

    async def end_positions(self, streams: Sequence[str]) -> Mapping[int, Positions]:
        ends = await self._inspector.ends(await self._inspector.partitions(streams))
        by_partition: dict[int, dict[str, str]] = {}
        for partition, end in sorted(ends.items()):
            by_partition.setdefault(partition.partition, {})[self._cluster.stream(partition.topic)] = str(Position(end))
        return by_partition

    def has_reached(self, positions: Mapping[int, Positions], ends: Mapping[int, Positions]) -> bool:
        return all(
            Position.of(positions.get(partition, {}).get(stream, "")).offset >= Position.of(end).offset
            for partition, end_by_stream in ends.items()
            for stream, end in end_by_stream.items()
        )

    async def oldest_after(self, positions: Mapping[int, Positions]) -> datetime | None:
        streams = {stream for by_stream in positions.values() for stream in by_stream}
        offsets = dict.fromkeys(await self._inspector.partitions(streams), 0) | {
            TopicPartition(self._cluster.name(stream), partition): Position.of(position).offset
            for partition, by_stream in positions.items()
            for stream, position in by_stream.items()
        }
        ends = await self._inspector.ends(list(offsets))
        unread = {partition: offset for partition, offset in offsets.items() if offset < ends[partition]}
        records = await self._inspector.records(unread)
        return min(map(stored_at, records.values()), default=None)

    async def lag(self, group: str) -> Lag:
        return await lag.lag(self._inspector, group)

    async def memory_share(self) -> float | None:
        """None: Kafka keeps streams on disk."""
        return None

    async def trim(self, stream: Stream, projected: Mapping[int, Positions], keep: timedelta, max_bytes: int) -> int:
        """Does nothing: Kafka applies the retention set at provisioning."""
        return 0

    async def follow_heartbeats(self, on_heartbeat: OnHeartbeat) -> None:
        await follow_heartbeats(self._cluster, on_heartbeat)

    async def follow_control(self, on_event: Callable[[Event], None], on_caught_up: Callable[[], None]) -> None:
        await follow_control(self._cluster, on_event, on_caught_up)

    def faststream_broker(self) -> KafkaBroker:
        return KafkaBroker(
            self._cluster.servers.split(","),
            security=self._cluster.security,
            logger=logging.getLogger("shared.broker"),
        )

    async def close(self) -> None:
        await self._producer.close()
        await self._inspector.close()
