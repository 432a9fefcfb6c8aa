"""One member of a Kafka consumer group: hands out, commits what is finished, keeps its work through rebalances."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.structs import OffsetAndMetadata

from shared.errors import BrokerUnreachable, PositionsLost
from shared.messaging.broker import Delivery, Settled
from shared.messaging.kafka.admin.inspector import Observer
from shared.messaging.kafka.committer import CommitRefused, Commits, NoMember
from shared.messaging.kafka.connection import PATIENCE, Cluster, delivery_of, place_of, reaching
from shared.messaging.kafka.group_member import Member, NotPositioned
from shared.messaging.kafka.producer import Producer
from shared.messaging.offset_tracker import PartitionWindow
from shared.messaging.provisioning import PROVISION
from shared.streams import streams_of

log = structlog.get_logger()


class KafkaConsumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Every rebalance revokes all partitions of all members (aiokafka knows no other kind). So what is in flight is
    remembered, and when the partitions are dealt out again the commit and the memory are joined: what either knows as
    finished is finished, what is still worked on here is not handed out again, the rest is."""

    def __init__(
        self,
        cluster: Cluster,
        observer: Observer,
        producer: Producer,
        group: str,
        *,
        member: str | None,
        session_timeout: float,
    ) -> None:
        """`member`: the name of a static one, None for a dynamic. Seconds."""
        self._cluster = cluster
        self._observer = observer
        self._producer = producer
        self._group = group
        streams = [stream.name for stream in streams_of(group)]
        self._member = Member(
            cluster, observer, group, streams, _sticky(), name=member, session_timeout=session_timeout
        )
        self._client = self._member.client
        self._windows: dict[TopicPartition, PartitionWindow] = {}  # of what was dealt out last
        self._in_flight: dict[TopicPartition, dict[int, Delivery]] = {}  # whoever owns the partition now
        self._begun: set[Delivery] = set()
        self._dealt = asyncio.Event()  # the partitions belong to somebody; cleared while they are dealt out
        self._generation = 0  # how often they were
        self._taking_over = asyncio.Lock()
        self._owned: frozenset[TopicPartition] | None = None  # None: not taken over yet
        self._positions_awaited_since: float | None = None  # loop time
        self._commits = Commits(self._client, lambda: self._windows if self._owned else {})
        self._turn = 0

    async def open(self) -> None:
        await self._member.open(self)

    # -- what the group does to a member

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Before others get them: what is finished is committed, and who gets what is in flight does not count it as
        begun. Nothing is committed from here on until the partitions are ours again."""
        self._dealt.clear()
        if self._owned:
            for place, deliveries in self._in_flight.items():
                self._count(place, deliveries.values(), 0)
            try:
                async with asyncio.timeout(1.0):
                    await self._store()
            except (BrokerUnreachable, TimeoutError) as error:
                log.debug("could not commit before a rebalance", error=str(error))
        self._let_go()
        self._commits.give_up()

    def _let_go(self) -> None:
        self._generation += 1
        self._owned = None

    async def _store(self) -> None:
        """What was said so far, now or, if the partitions are being dealt out, when they are ours again."""
        try:
            await self._commits.store()
        except CommitRefused as refused:
            if isinstance(refused, NoMember):
                self._dealt.clear()
            self._let_go()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """An exception here would be swallowed, so the work is `_take_over`'s."""
        self._dealt.set()

    async def _take_over(self) -> None:
        """Join commit and memory of everything that is ours now."""
        async with self._taking_over:
            if self._owned is not None or not self._dealt.is_set():
                return
            ours = frozenset(self._client.assignment())
            commits = await self._observer.commits(self._group, list(ours)) if ours else {}
            if missing := sorted(ours - commits.keys()):
                await self._wait_for_positions(missing)
                return
            self._positions_awaited_since = None
            if not self._dealt.is_set() or ours != self._client.assignment():
                return
            self._windows = {place: self._joined(place, commits[place]) for place in ours}
            self._commits.take_over(commits)
            for place, window in self._windows.items():
                self._count(place, [d for d in self._in_flight.get(place, {}).values() if d in self._begun], 1)
                self._client.seek(place, window.watermark)
            self._owned = ours

    async def _wait_for_positions(self, missing: Sequence[TopicPartition]) -> None:
        """Whoever adds partitions commits their first positions in the next moment. Raises PositionsLost."""
        now = asyncio.get_running_loop().time()
        self._positions_awaited_since = self._positions_awaited_since or now
        if now - self._positions_awaited_since > PATIENCE:
            names = _names(missing)
            raise PositionsLost(f"the group {self._group} has no position for {names}. {PROVISION}", [self._group])
        await asyncio.sleep(0.1)

    def _joined(self, place: TopicPartition, commit: OffsetAndMetadata) -> PartitionWindow:
        window = PartitionWindow(commit.offset, commit.metadata, self._in_flight.get(place, ()))
        if before := self._windows.get(place):
            window.absorb(before)
        return window

    # -- handing out

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
            found = await self._member.at_hand(self._in_turn(), limit) or await self._member.poll(timeout, limit)
        except NotPositioned:
            self._let_go()
            return []
        return [delivery for place, records in found.items() for delivery in self._take(place, records)]

    def _in_turn(self) -> list[TopicPartition]:
        """Those first where somebody died or left in the middle of work; then each is first once."""
        places = sorted(self._owned or ())
        self._turn += 1
        at = self._turn % max(1, len(places))
        return sorted(places[at:] + places[:at], key=lambda place: not self._windows[place].has_left_over)

    def _take(self, place: TopicPartition, records: Sequence[Any]) -> list[Delivery]:
        """Without what is finished or in flight here, and no more than the window bears."""
        taken: list[Delivery] = []
        if place not in (self._owned or ()):
            return taken  # `_take_over` reads it again
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

    # -- what becomes of it

    async def started(self, deliveries: Sequence[Delivery]) -> Collection[Delivery]:
        """Only when it is known whose they are, and stored in that generation."""
        while True:
            await self._settled_in()
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

    async def _settled_in(self) -> None:
        """Until the partitions are dealt out and taken over."""
        if self._owned is not None:
            return
        with reaching():
            async with asyncio.timeout(PATIENCE):
                while self._owned is None:
                    await self._dealt.wait()
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
        """An end whose commit is refused, because the partitions are being dealt out, is joined in later."""
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

    # -- the end of it

    async def close(self) -> None:
        """Hand back what is left; a dynamic member leaves, a static one only disconnects."""
        try:
            await self.hand_back([d for deliveries in self._in_flight.values() for d in deliveries.values()])
        except BrokerUnreachable as error:
            log.warning("could not hand back: others will take over", error=str(error))
        await self._member.close()


def _sticky() -> type[StickyPartitionAssignor]:
    """Of one member: aiokafka keeps the last assignment in the class."""
    return type("Sticky", (StickyPartitionAssignor,), {})


def _names(places: Sequence[TopicPartition]) -> str:
    return ", ".join(f"{place.topic}/{place.partition}" for place in places)
