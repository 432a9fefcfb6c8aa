"""Plain reads of the partitions that a group deals to this reader, from positions that the caller keeps."""

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from shared.errors import PositionsLost
from shared.messaging.broker import START, Batch, Delivery, LoadPositions
from shared.messaging.kafka.admin.inspector import Observer
from shared.messaging.kafka.connection import Cluster, delivery_of
from shared.messaging.kafka.fetch_order import ByTime
from shared.messaging.kafka.group_member import Member, NotPositioned
from shared.messaging.kafka.positions import Position


class KafkaReader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Partitions of all streams with one number belong to one reader (range assignor, equal numbers of partitions).
    The first record that is read again at a position shows that the stream is still the one it was."""

    owns_partitions = True

    def __init__(
        self,
        cluster: Cluster,
        observer: Observer,
        group: str,
        streams: Sequence[str],
        load: LoadPositions,
        *,
        member: str | None,
        session_timeout: float,
    ) -> None:
        self._cluster = cluster
        self._observer = observer
        self._streams = streams
        self._load = load
        self._member = Member(
            cluster, observer, group, streams, RangePartitionAssignor, name=member, session_timeout=session_timeout
        )
        self._client = self._member.client
        self._positions: dict[int, dict[str, str]] = {}  # of what is ours
        self._dealt = False
        self._by_time = ByTime(self._member)

    async def open(self) -> None:
        await self._member.open(self)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._positions, self._dealt = {}, False

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._client.pause(*assigned)  # nothing is read before it is known where
        self._dealt = True

    async def _take_over(self) -> None:
        while self._dealt:
            self._dealt = False
            for partition in sorted({place.partition for place in self._client.assignment()}):
                await self.reload(partition)

    async def reload(self, partition: int) -> None:
        stored = await self._load(partition)
        places = {p for p in self._client.assignment() if p.partition == partition}
        at = {p: Position.of(stored.get(self._cluster.stream(p.topic), START)) for p in places}
        await self._must_cover(at)
        if not places <= self._client.assignment():
            return  # it moved meanwhile
        self._positions[partition] = {self._cluster.stream(p.topic): str(position) for p, position in at.items()}
        for place, position in at.items():
            self._by_time.begin_at(place, position.offset)
            self._client.seek(place, position.offset)
        self._client.resume(*places)

    async def _must_cover(self, at: dict[TopicPartition, Position]) -> None:
        """Raises PositionsLost where reading on would silently skip: retention removed what was not read, or another
        stream has the name."""
        beginnings, ends = await asyncio.gather(self._observer.beginnings(list(at)), self._observer.ends(list(at)))
        last = {p: position.offset - 1 for p, position in at.items() if position.offset > beginnings[p]}
        lost = [p for p, position in at.items() if not beginnings[p] <= position.offset <= ends[p]]
        if not lost:
            seen = await self._observer.records(last)
            lost = [p for p, record in seen.items() if at[p].is_after_another(record)]
        for place in lost:
            raise PositionsLost(
                f"the stream {self._cluster.stream(place.topic)} no longer has what comes after"
                f" {str(at[place]) or 'its beginning'} in partition {place.partition}: its retention removed it, or it"
                " was made anew. Restore Kafka and the database from backups of the same time"
            )

    async def read(self, limit: int, timeout: float) -> Batch | None:
        await self._take_over()
        try:
            found = await self._by_time.next(limit, timeout)
        except NotPositioned:
            self._dealt = True
            return None
        deliveries: list[Delivery] = []
        for place, records in found.items():
            if positions := self._positions.get(place.partition):
                deliveries += [delivery_of(self._cluster, record) for record in records]
                positions[self._cluster.stream(place.topic)] = str(Position.after(records[-1]))
        read = {delivery.partition for delivery in deliveries}
        return Batch(deliveries, {p: dict(self._positions[p]) for p in read}) if deliveries else None

    async def close(self) -> None:
        await self._member.close()
