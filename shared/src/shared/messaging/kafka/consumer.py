"""A member of a Kafka consumer group: hands out deliveries, commits finished ones, keeps its work through
rebalances."""

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
from shared.messaging.kafka.connection import REQUEST_TIMEOUT_SECONDS, Cluster, delivery_of, place_of, translated_errors
from shared.messaging.kafka.group_member import GroupMember, NotPositioned
from shared.messaging.kafka.producer import Producer
from shared.messaging.offset_tracker import OffsetTracker
from shared.messaging.provisioning import PROVISION
from shared.streams import streams_of

log = structlog.get_logger()


class KafkaConsumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Every rebalance revokes all partitions of all members (aiokafka has no cooperative kind). So deliveries in
    flight are remembered, and on the next assignment commit and memory are merged: what either says is finished is
    finished, what is still being handled here is not handed out again, the rest is."""

    def __init__(
        self,
        cluster: Cluster,
        observer: Inspector,
        producer: Producer,
        group: str,
        *,
        member: str | None,
        session_timeout: float,
    ) -> None:
        """`member`: name of a static member, or None for a dynamic one. `session_timeout` in seconds."""
        self._cluster = cluster
        self._observer = observer
        self._producer = producer
        self._group = group
        streams = [stream.name for stream in streams_of(group)]
        self._member = GroupMember(
            cluster, observer, group, streams, _sticky(), name=member, session_timeout=session_timeout
        )
        self._client = self._member.client
        self._windows: dict[TopicPartition, OffsetTracker] = {}  # of the last assignment
        self._in_flight: dict[TopicPartition, dict[int, Delivery]] = {}  # whether or not the partition is still owned
        self._begun: set[Delivery] = set()
        self._assigned = asyncio.Event()  # partitions are assigned; cleared during a rebalance
        self._generation = 0  # number of rebalances
        self._taking_over = asyncio.Lock()
        self._owned: frozenset[TopicPartition] | None = None  # None: assignment not taken over yet
        self._positions_awaited_since: float | None = None  # loop time
        self._commits = OffsetCommitter(self._client, lambda: self._windows if self._owned else {})
        self._turn = 0

    async def open(self) -> None:
        await self._member.open(self)

    # -- rebalances

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Commits what is finished before others get the partitions; deliveries in flight are committed as not
        started. Nothing is committed from here on until partitions are assigned again."""
        self._assigned.clear()
        if self._owned:
            for place, deliveries in self._in_flight.items():
                self._count(place, deliveries.values(), 0)
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
        """Merges commit and memory of the assigned partitions."""
        async with self._taking_over:
            if self._owned is not None or not self._assigned.is_set():
                return
            assigned_now = frozenset(self._client.assignment())
            commits = await self._observer.commits(self._group, list(assigned_now)) if assigned_now else {}
            if missing := sorted(assigned_now - commits.keys()):
                await self._wait_for_positions(missing)
                return
            self._positions_awaited_since = None
            if not self._assigned.is_set() or assigned_now != self._client.assignment():
                return
            self._windows = {place: self._joined(place, commits[place]) for place in assigned_now}
            self._commits.take_over(commits)
            for place, window in self._windows.items():
                self._count(place, [d for d in self._in_flight.get(place, {}).values() if d in self._begun], 1)
                self._client.seek(place, window.watermark)
            self._owned = assigned_now

    async def _wait_for_positions(self, missing: Sequence[TopicPartition]) -> None:
        """Waits for the initial offsets of partitions that were just added. Raises PositionsLost."""
        now = asyncio.get_running_loop().time()
        self._positions_awaited_since = self._positions_awaited_since or now
        if now - self._positions_awaited_since > REQUEST_TIMEOUT_SECONDS:
            names = _names(missing)
            raise PositionsLost(f"the group {self._group} has no position for {names}. {PROVISION}", [self._group])
        await asyncio.sleep(0.1)

    def _joined(self, place: TopicPartition, commit: OffsetAndMetadata) -> OffsetTracker:
        window = OffsetTracker(commit.offset, commit.metadata, self._in_flight.get(place, ()))
        if before := self._windows.get(place):
            window.absorb(before)
        return window

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
        for place in self._owned or ():
            (self._client.pause if self._windows[place].is_full else self._client.resume)(place)
        try:
            found = await self._member.fetched(self._in_turn(), limit) or await self._member.poll(timeout, limit)
        except NotPositioned:
            self._forget_assignment()
            return []
        return [delivery for place, records in found.items() for delivery in self._take(place, records)]

    def _in_turn(self) -> list[TopicPartition]:
        """Partitions with work that another member left unfinished come first; the others take turns."""
        places = sorted(self._owned or ())
        self._turn += 1
        at = self._turn % max(1, len(places))
        return sorted(places[at:] + places[:at], key=lambda place: not self._windows[place].has_left_over)

    def _take(self, place: TopicPartition, records: Sequence[Any]) -> list[Delivery]:
        """Leaves out what is finished or in flight here, and stops when the tracker is full."""
        taken: list[Delivery] = []
        if place not in (self._owned or ()):
            return taken  # `_take_over` fetches it again
        window = self._windows[place]
        for record in records:
            if window.is_full:
                self._client.seek(place, record.offset)
                break
            starts = window.take(record.offset)
            if starts is not None:
                delivery = delivery_of(self._cluster, record, starts)
                self._in_flight.setdefault(place, {})[record.offset] = delivery
                taken.append(delivery)
        return taken

    # -- settling

    async def started(self, deliveries: Sequence[Delivery]) -> Collection[Delivery]:
        """Returns once the starts are committed in the generation that owns the deliveries."""
        while True:
            await self._wait_for_assignment()
            generation = self._generation
            lost = [delivery for delivery in deliveries if not self._holds(delivery)]
            self._forget(lost)
            begun = [delivery for delivery in deliveries if delivery not in lost]
            if self._begun.issuperset(begun) and not self._commits.is_behind:
                return lost
            self._begun.update(begun)
            self._recount(begun, 1)
            await self._store()
            if generation == self._generation:
                return lost

    async def waiting(self, deliveries: Sequence[Delivery]) -> None:
        self._begun.difference_update(deliveries)
        self._recount(deliveries, 0)
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
        place = place_of(self._cluster, delivery)
        return place in (self._owned or ()) and self._windows[place].holds(int(delivery.position))

    def _recount(self, deliveries: Iterable[Delivery], more: int) -> None:
        for place, of_place in self._by_place(deliveries).items():
            self._count(place, of_place, more)

    def _count(self, place: TopicPartition, deliveries: Iterable[Delivery], more: int) -> None:
        if window := self._windows.get(place):
            for delivery in deliveries:
                window.set_starts(int(delivery.position), delivery.starts + more)

    async def settle(self, batch: Sequence[Settled]) -> None:
        """If a rebalance refuses the commit, the settled deliveries are merged at the next assignment."""
        if records := [record for settled in batch for record in settled.records]:
            await self._producer.store(records)
        ended = [settled.delivery for settled in batch if settled.delivery]
        for place, deliveries in self._by_place(ended).items():
            for delivery in deliveries:
                if window := self._windows.get(place):
                    window.finish(int(delivery.position))
        self._forget(ended)
        if ended:
            await self._store()

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        self._begun.difference_update(deliveries)
        for place, of_place in self._by_place(deliveries).items():
            self._count(place, of_place, 0)
            for delivery in of_place:
                if window := self._windows.get(place):
                    window.give_back(int(delivery.position))
            if place in (self._owned or ()):
                self._client.seek(place, self._windows[place].next)
        self._forget(deliveries)
        await self._store()

    def _by_place(self, deliveries: Iterable[Delivery]) -> Mapping[TopicPartition, list[Delivery]]:
        by_place: dict[TopicPartition, list[Delivery]] = {}
        for delivery in deliveries:
            by_place.setdefault(place_of(self._cluster, delivery), []).append(delivery)
        return by_place

    def _forget(self, deliveries: Sequence[Delivery]) -> None:
        self._begun.difference_update(deliveries)
        for delivery in deliveries:
            self._in_flight.get(place_of(self._cluster, delivery), {}).pop(int(delivery.position), None)

    async def share(self) -> float:
        topics = self._client.subscription()
        partitions = sum(len(self._client.partitions_for_topic(topic) or ()) for topic in topics)
        return len(self._owned or ()) / partitions if partitions else 0.0

    # -- closing

    async def close(self) -> None:
        """Hands back what is left. A dynamic member leaves the group; a static one only disconnects."""
        try:
            await self.hand_back([d for deliveries in self._in_flight.values() for d in deliveries.values()])
        except BrokerUnreachable as error:
            log.warning("hand_back_failed", error=str(error))
        await self._member.close()


def _sticky() -> type[StickyPartitionAssignor]:
    """A class per member, because aiokafka keeps the last assignment in the class."""
    return type("Sticky", (StickyPartitionAssignor,), {})


def _names(places: Sequence[TopicPartition]) -> str:
    return ", ".join(f"{place.topic}/{place.partition}" for place in places)
