"""A member of a Kafka consumer group: fetches and commits deliveries, and keeps work in flight through rebalances."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.structs import OffsetAndMetadata

from shared.errors import BrokerUnreachable, PositionsLost
from shared.messaging.broker import Delivery, Settled
from shared.messaging.kafka.admin.inspector import Inspector
from shared.messaging.kafka.committer import CommitRefused, NotAMember, OffsetCommitter
from shared.messaging.kafka.connection import (
    REQUEST_TIMEOUT_SECONDS,
    Cluster,
    delivery_of,
    topic_partition_of,
    translated_errors,
)
from shared.messaging.kafka.group_member import GroupMember, NotPositioned
from shared.messaging.kafka.producer import Producer
from shared.messaging.offset_tracker import OffsetTracker
from shared.messaging.provisioning import PROVISION
from shared.streams import streams_of

log = structlog.get_logger()


class KafkaConsumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Every rebalance revokes all partitions of all members, because aiokafka has no cooperative protocol. Deliveries
    in flight are therefore kept, and merged with the commits at the next assignment: an offset is finished if either
    says so, those still being handled here are not fetched again, all others are."""

    def __init__(
        self,
        cluster: Cluster,
        inspector: Inspector,
        producer: Producer,
        group: str,
        *,
        member: str | None,
        session_timeout: float,
    ) -> None:
        """`member`: name of a static member, or None for a dynamic one. `session_timeout` in seconds."""
        self._cluster = cluster
        self._inspector = inspector
        self._producer = producer
        self._group = group
        streams = [stream.name for stream in streams_of(group)]
        self._member = GroupMember(
            cluster, inspector, group, streams, _sticky(), name=member, session_timeout=session_timeout
        )
        self._client = self._member.client
        self._trackers: dict[TopicPartition, OffsetTracker] = {}  # of the last assignment
        self._in_flight: dict[TopicPartition, dict[int, Delivery]] = {}  # whether or not the partition is still owned
        self._counted: set[Delivery] = set()
        self._assigned = asyncio.Event()  # partitions are assigned; cleared during a rebalance
        self._generation = 0  # number of rebalances
        self._taking_over = asyncio.Lock()
        self._owned: frozenset[TopicPartition] | None = None  # None: assignment not taken over yet
        self._positions_awaited_since: float | None = None  # loop time
        self._commits = OffsetCommitter(self._client, lambda: self._trackers if self._owned else {})
        self._turn = 0

    async def open(self) -> None:
        await self._member.open(self)

    # -- rebalances

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Commits what is finished before other members get the partitions; deliveries in flight are committed as not
        started. Afterwards nothing is committed until partitions are assigned again."""
        self._assigned.clear()
        if self._owned:
            for partition, deliveries in self._in_flight.items():
                self._set_starts(partition, deliveries.values(), 0)
            try:
                async with asyncio.timeout(1.0):
                    await self._store()
            except (BrokerUnreachable, TimeoutError) as error:
                log.debug("commit_before_rebalance_failed", error=str(error))
        self._forget_assignment()
        self._commits.give_up()

    def _forget_assignment(self) -> None:
        self._generation += 1
        self._owned = None

    async def _store(self) -> None:
        """Commits the current state now or, during a rebalance, after the next assignment."""
        try:
            await self._commits.store()
        except CommitRefused as refused:
            if isinstance(refused, NotAMember):
                self._assigned.clear()
            self._forget_assignment()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """aiokafka swallows exceptions raised here, so the work is done in `_take_over`."""
        self._assigned.set()

    async def _take_over(self) -> None:
        """Merges the commits of the assigned partitions with the deliveries in flight."""
        async with self._taking_over:
            if self._owned is not None or not self._assigned.is_set():
                return
            assignment = frozenset(self._client.assignment())
            commits = await self._inspector.commits(self._group, list(assignment)) if assignment else {}
            if missing := sorted(assignment - commits.keys()):
                await self._wait_for_positions(missing)
                return
            self._positions_awaited_since = None
            if not self._assigned.is_set() or assignment != self._client.assignment():
                return
            self._trackers = {of: self._merged_tracker(of, commits[of]) for of in assignment}
            self._commits.take_over(commits)
            for partition, tracker in self._trackers.items():
                counted = [d for d in self._in_flight.get(partition, {}).values() if d in self._counted]
                self._set_starts(partition, counted, 1)
                self._client.seek(partition, tracker.watermark)
            self._owned = assignment

    async def _wait_for_positions(self, missing: Sequence[TopicPartition]) -> None:
        """Waits for the initial offsets of partitions that were just added. Raises PositionsLost."""
        now = asyncio.get_running_loop().time()
        self._positions_awaited_since = self._positions_awaited_since or now
        if now - self._positions_awaited_since > REQUEST_TIMEOUT_SECONDS:
            names = ", ".join(f"{partition.topic}/{partition.partition}" for partition in missing)
            raise PositionsLost(f"the group {self._group} has no position for {names}. {PROVISION}", [self._group])
        await asyncio.sleep(0.1)

    def _merged_tracker(self, partition: TopicPartition, commit: OffsetAndMetadata) -> OffsetTracker:
        tracker = OffsetTracker(commit.offset, commit.metadata, self._in_flight.get(partition, ()))
        if earlier := self._trackers.get(partition):
            tracker.absorb(earlier)
        return tracker

    # -- fetching

    async def fetch(self, limit: int, timeout: float) -> list[Delivery]:
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            await self._take_over()
            if self._commits.is_behind:
                await self._store()
            left = max(0.0, deadline - asyncio.get_running_loop().time())
            taken = await self._read(limit, left)
            if taken or not left:
                return taken

    async def _read(self, limit: int, timeout: float) -> list[Delivery]:
        for partition in self._owned or ():
            (self._client.pause if self._trackers[partition].is_full else self._client.resume)(partition)
        try:
            records_by_partition = await self._member.fetched(self._partitions_in_turn(), limit)
            if not records_by_partition:
                records_by_partition = await self._member.poll(timeout, limit)
        except NotPositioned:
            self._forget_assignment()
            return []
        return [
            delivery
            for partition, records in records_by_partition.items()
            for delivery in self._take(partition, records)
        ]

    def _partitions_in_turn(self) -> list[TopicPartition]:
        """Partitions with unfinished work of another member first, then the others in turn."""
        partitions = sorted(self._owned or ())
        self._turn += 1
        start = self._turn % max(1, len(partitions))
        return sorted(
            partitions[start:] + partitions[:start], key=lambda partition: not self._trackers[partition].has_left_over
        )

    def _take(self, partition: TopicPartition, records: Sequence[Any]) -> list[Delivery]:
        """Skips records that are finished or in flight here, and stops when the tracker is full."""
        taken: list[Delivery] = []
        if partition not in (self._owned or ()):
            return taken  # `_take_over` fetches it again
        tracker = self._trackers[partition]
        for record in records:
            if tracker.is_full:
                self._client.seek(partition, record.offset)
                break
            starts = tracker.take(record.offset)
            if starts is not None:
                delivery = delivery_of(self._cluster, record, starts)
                self._in_flight.setdefault(partition, {})[record.offset] = delivery
                taken.append(delivery)
        return taken

    # -- settling

    async def started(self, deliveries: Sequence[Delivery]) -> Collection[Delivery]:
        """Returns once the starts are committed in the generation that owns the deliveries."""
        while True:
            await self._wait_for_assignment()
            generation = self._generation
            revoked = [delivery for delivery in deliveries if not self._holds(delivery)]
            self._forget(revoked)
            owned = [delivery for delivery in deliveries if delivery not in revoked]
            if self._counted.issuperset(owned) and not self._commits.is_behind:
                return revoked
            self._counted.update(owned)
            self._set_starts_of(owned, 1)
            await self._store()
            if generation == self._generation:
                return revoked

    async def waiting(self, deliveries: Sequence[Delivery]) -> None:
        self._counted.difference_update(deliveries)
        self._set_starts_of(deliveries, 0)
        await self._store()

    async def _wait_for_assignment(self) -> None:
        """Waits until partitions are assigned and taken over."""
        if self._owned is not None:
            return
        with translated_errors():
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                while self._owned is None:
                    await self._assigned.wait()
                    await self._take_over()

    def _holds(self, delivery: Delivery) -> bool:
        partition = topic_partition_of(self._cluster, delivery)
        return partition in (self._owned or ()) and self._trackers[partition].holds(int(delivery.position))

    def _set_starts_of(self, deliveries: Iterable[Delivery], more: int) -> None:
        for partition, partition_deliveries in self._by_partition(deliveries).items():
            self._set_starts(partition, partition_deliveries, more)

    def _set_starts(self, partition: TopicPartition, deliveries: Iterable[Delivery], more: int) -> None:
        """Records the start count of each delivery: its earlier starts and `more`."""
        if tracker := self._trackers.get(partition):
            for delivery in deliveries:
                tracker.set_starts(int(delivery.position), delivery.starts + more)

    async def settle(self, batch: Sequence[Settled]) -> None:
        """If a rebalance refuses the commit, the settled deliveries are committed after the next assignment."""
        if records := [record for settled in batch for record in settled.records]:
            await self._producer.store(records)
        ended = [settled.delivery for settled in batch if settled.delivery]
        for partition, deliveries in self._by_partition(ended).items():
            for delivery in deliveries:
                if tracker := self._trackers.get(partition):
                    tracker.finish(int(delivery.position))
        self._forget(ended)
        if ended:
            await self._store()

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        self._counted.difference_update(deliveries)
        for partition, partition_deliveries in self._by_partition(deliveries).items():
            self._set_starts(partition, partition_deliveries, 0)
            for delivery in partition_deliveries:
                if tracker := self._trackers.get(partition):
                    tracker.give_back(int(delivery.position))
            if partition in (self._owned or ()):
                self._client.seek(partition, self._trackers[partition].next)
        self._forget(deliveries)
        await self._store()

    def _by_partition(self, deliveries: Iterable[Delivery]) -> Mapping[TopicPartition, list[Delivery]]:
        by_partition: dict[TopicPartition, list[Delivery]] = {}
        for delivery in deliveries:
            by_partition.setdefault(topic_partition_of(self._cluster, delivery), []).append(delivery)
        return by_partition

    def _forget(self, deliveries: Sequence[Delivery]) -> None:
        self._counted.difference_update(deliveries)
        for delivery in deliveries:
            self._in_flight.get(topic_partition_of(self._cluster, delivery), {}).pop(int(delivery.position), None)

    async def group_share(self) -> float:
        topics = self._client.subscription()
        total = sum(len(self._client.partitions_for_topic(topic) or ()) for topic in topics)
        return len(self._owned or ()) / total if total else 0.0

    # -- closing

    async def close(self) -> None:
        """Hands back what is left. A dynamic member leaves the group; a static one only disconnects."""
        try:
            await self.hand_back([d for deliveries in self._in_flight.values() for d in deliveries.values()])
        except BrokerUnreachable as error:
            log.warning("hand_back_failed", error=str(error))
        await self._member.close()


def _sticky() -> type[StickyPartitionAssignor]:
    """A new class per member, because aiokafka stores the last assignment in the class."""
    return type("Sticky", (StickyPartitionAssignor,), {})
