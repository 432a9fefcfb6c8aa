"""Reads the partitions that the group assigns to this reader, from positions that the caller stores."""

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from shared.errors import PositionsLost
from shared.messaging.broker import START, Batch, Delivery, LoadPositions
from shared.messaging.kafka.admin.inspector import Inspector
from shared.messaging.kafka.connection import Cluster, delivery_of
from shared.messaging.kafka.fetch_order import FetchOrder
from shared.messaging.kafka.group_member import GroupMember, NotPositioned
from shared.messaging.kafka.positions import Position


class KafkaReader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Partitions with the same number belong to the same reader in all streams (range assignor, equal partition
    counts). The record before a position shows whether the stream is still the same."""

    owns_partitions = True

    def __init__(
        self,
        cluster: Cluster,
        inspector: Inspector,
        group: str,
        streams: Sequence[str],
        load: LoadPositions,
        *,
        member: str | None,
        session_timeout: float,
    ) -> None:
        self._cluster = cluster
        self._inspector = inspector
        self._streams = streams
        self._load = load
        self._member = GroupMember(
            cluster, inspector, group, streams, RangePartitionAssignor, name=member, session_timeout=session_timeout
        )
        self._client = self._member.client
        self._positions: dict[int, dict[str, str]] = {}  # of the owned partitions
        self._assigned = False
        self._fetch_order = FetchOrder(self._member)

    async def open(self) -> None:
        await self._member.open(self)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._positions, self._assigned = {}, False

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._client.pause(*assigned)  # before positions are loaded, nothing may be read
        self._assigned = True

    async def _take_over(self) -> None:
        while self._assigned:
            self._assigned = False
            for partition in sorted({assigned.partition for assigned in self._client.assignment()}):
                await self.reload(partition)

    async def reload(self, partition: int) -> None:
        stored = await self._load(partition)
        assigned = {p for p in self._client.assignment() if p.partition == partition}
        at = {p: Position.of(stored.get(self._cluster.stream(p.topic), START)) for p in assigned}
        await self._check_coverage(at)
        if not assigned <= self._client.assignment():
            return  # it was reassigned meanwhile
        self._positions[partition] = {self._cluster.stream(p.topic): str(position) for p, position in at.items()}
        for topic_partition, position in at.items():
            self._fetch_order.start_at(topic_partition, position.offset)
            self._client.seek(topic_partition, position.offset)
        self._client.resume(*assigned)

    async def _check_coverage(self, at: dict[TopicPartition, Position]) -> None:
        """Raises PositionsLost if reading would silently skip records, because retention removed unread ones or the
        stream was recreated."""
        beginnings, ends = await asyncio.gather(self._inspector.beginnings(list(at)), self._inspector.ends(list(at)))
        last = {p: position.offset - 1 for p, position in at.items() if position.offset > beginnings[p]}
        lost = [p for p, position in at.items() if not beginnings[p] <= position.offset <= ends[p]]
        if not lost:
            previous = await self._inspector.records(last)
            lost = [p for p, record in previous.items() if at[p].is_after_another(record)]
        for topic_partition in lost:
            raise PositionsLost(
                f"the stream {self._cluster.stream(topic_partition.topic)} no longer has what comes after"
                f" {str(at[topic_partition]) or 'its beginning'} in partition {topic_partition.partition}: retention"
                " removed it, or the stream was recreated. Restore Kafka and the database from backups of the same time"
            )

    async def read(self, limit: int, timeout: float) -> Batch | None:
        await self._take_over()
        try:
            records_by_partition = await self._fetch_order.next(limit, timeout)
        except NotPositioned:
            self._assigned = True
            return None
        deliveries: list[Delivery] = []
        for topic_partition, records in records_by_partition.items():
            if positions := self._positions.get(topic_partition.partition):
                deliveries += [delivery_of(self._cluster, record) for record in records]
                positions[self._cluster.stream(topic_partition.topic)] = str(Position.after(records[-1]))
        read_partitions = {delivery.partition for delivery in deliveries}
        return Batch(deliveries, {p: dict(self._positions[p]) for p in read_partitions}) if deliveries else None

    async def close(self) -> None:
        await self._member.close()
