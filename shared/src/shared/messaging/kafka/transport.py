"""Kafka as a `Transport`; the work is done in the modules beside this one."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from aiokafka import TopicPartition
from faststream.kafka import KafkaBroker

from shared.events import Event
from shared.messaging.broker import Lag, LoadPositions, Note, Positions
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
from shared.messaging.provisioning import ProvisioningPlan, make
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
        self._observer = Inspector(cluster)

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
        await provisioning.check_session_timeout(self._observer, self._session_timeout)

    async def provision(self) -> list[str]:
        found = await provisioning.find(self._cluster, self._observer)
        return await make(await provisioning.missing(self._cluster, self._observer, self._layout, found))

    async def plan(self, partitions: int | None = None) -> ProvisioningPlan:
        return await reconcile.plan(self._cluster, self._observer, self._layout, partitions)

    async def place(self, group: str, stream: str, positions: Mapping[int, Positions]) -> None:
        await provisioning.place(self._cluster, group, stream, positions)

    async def publish(self, records: Sequence[Record]) -> None:
        if records:
            await self._producer.store(records)

    async def consumer(self, group: str, member: str) -> KafkaConsumer:
        consumer = KafkaConsumer(
            self._cluster,
            self._observer,
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
            self._observer,
            group,
            streams,
            load,
            member=member if self._is_static else None,
            session_timeout=self._session_timeout,
        )
        await reader.open()
        return reader

    async def ends(self, streams: Sequence[str]) -> Mapping[int, Positions]:
        ends = await self._observer.ends(await self._observer.partitions(streams))
        by_partition: dict[int, dict[str, str]] = {}
        for place, end in sorted(ends.items()):
            by_partition.setdefault(place.partition, {})[self._cluster.stream(place.topic)] = str(Position(end))
        return by_partition

    def has_reached(self, positions: Mapping[int, Positions], ends: Mapping[int, Positions]) -> bool:
        return all(
            Position.of(positions.get(partition, {}).get(stream, "")).offset >= Position.of(end).offset
            for partition, of in ends.items()
            for stream, end in of.items()
        )

    async def oldest_after(self, positions: Mapping[int, Positions]) -> datetime | None:
        streams = {stream for of in positions.values() for stream in of}
        at = dict.fromkeys(await self._observer.partitions(streams), 0) | {
            TopicPartition(self._cluster.name(stream), partition): Position.of(position).offset
            for partition, of in positions.items()
            for stream, position in of.items()
        }
        ends = await self._observer.ends(list(at))
        unread = await self._observer.records({place: offset for place, offset in at.items() if offset < ends[place]})
        return min(map(stored_at, unread.values()), default=None)

    async def lag(self, group: str) -> Lag:
        return await lag.lag(self._observer, group)

    async def memory_share(self) -> float | None:
        """None: Kafka keeps streams on disk."""
        return None

    async def trim(self, stream: Stream, projected: Mapping[int, Positions], keep: timedelta, max_bytes: int) -> int:
        """Does nothing: Kafka applies the retention set at provisioning."""
        return 0

    async def follow_heartbeats(self, note: Note) -> None:
        await follow_heartbeats(self._cluster, note)

    async def follow_control(self, note: Callable[[Event], None], caught_up: Callable[[], None]) -> None:
        await follow_control(self._cluster, note, caught_up)

    def shell(self) -> KafkaBroker:
        return KafkaBroker(
            self._cluster.servers.split(","),
            security=self._cluster.security,
            logger=logging.getLogger("shared.broker"),
        )

    async def close(self) -> None:
        await self._producer.close()
        await self._observer.close()
