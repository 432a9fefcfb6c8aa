"""Members of a group of the in-memory broker: a consumer that settles, and a reader that keeps its own positions."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from shared.errors import PositionsLost
from shared.messaging.broker import START, Batch, Delivery, LoadPositions, Settled
from shared.messaging.offset_tracker import OffsetTracker
from shared.streams import streams_of

if TYPE_CHECKING:
    from contract.memory_broker.transport import MemoryTransport

Place = tuple[str, int]  # stream, partition


class MemoryConsumer:
    def __init__(self, broker: "MemoryTransport", group: str) -> None:
        self._broker = broker
        self.group = group
        self._streams = streams_of(group)
        self._windows: dict[Place, OffsetTracker] = {}
        self._in_flight: dict[Place, dict[int, Delivery]] = {}  # whoever owns the partition now
        self._is_lost = False

    @property
    def in_flight(self) -> int:
        return sum(window.in_flight for window in self._windows.values())

    def revoke(self, keep: set[int]) -> None:
        """What is in flight elsewhere from now on was not begun there."""
        for place, deliveries in self._in_flight.items():
            if place[1] not in keep:
                self._count(list(deliveries.values()), 0)
        self._windows = {place: window for place, window in self._windows.items() if place[1] in keep}

    def forget_partitions(self) -> None:
        self._windows = {}

    async def assign(self, partitions: set[int]) -> None:
        """The commit wins over memory for what was not owned; what is in flight here is not handed out again."""
        commits = self._broker.group(self.group).commits
        places = {(stream.name, p) for stream in self._streams for p in partitions}
        self._is_lost = not commits.keys() >= places
        self._windows = {
            place: self._windows.get(place) or OffsetTracker(*commits[place], self._in_flight.get(place, ()))
            for place in sorted(places & commits.keys())
        }

    async def fetch(self, limit: int, timeout: float) -> list[Delivery]:
        if not (taken := self._take(limit)):
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout), self._broker.changed:
                    await self._broker.changed.wait()
            taken = self._take(limit)
        return taken

    def _take(self, limit: int) -> list[Delivery]:
        if self._is_lost:
            raise PositionsLost(f"the group {self.group} has no position", [self.group])
        taken: list[Delivery] = []
        for place, window in self._windows.items():
            log = self._broker.logs[place]
            while len(taken) < limit and window.next < len(log) and not window.is_full:
                position = window.next
                starts = window.take(position)
                if starts is not None:
                    delivery = Delivery(log[position][1], place[1], str(position), starts)
                    self._in_flight.setdefault(place, {})[position] = delivery
                    taken.append(delivery)
        return taken

    async def started(self, deliveries: Sequence[Delivery]) -> Collection[Delivery]:
        lost = [delivery for delivery in deliveries if not self._holds(delivery)]
        for delivery in lost:
            self._forget(delivery)
        self._count([delivery for delivery in deliveries if delivery not in lost], 1)
        return lost

    def _holds(self, delivery: Delivery) -> bool:
        window = self._windows.get(_place(delivery))
        return window is not None and window.holds(int(delivery.position))

    async def waiting(self, deliveries: Sequence[Delivery]) -> None:
        self._count(deliveries, 0)

    def _count(self, deliveries: Sequence[Delivery], more: int) -> None:
        for delivery in deliveries:
            if window := self._windows.get(_place(delivery)):
                window.set_starts(int(delivery.position), delivery.starts + more)
        self._commit()

    async def settle(self, batch: Sequence[Settled]) -> None:
        await self._broker.publish([record for settled in batch for record in settled.records])
        for settled in batch:
            if settled.delivery:
                self._forget(settled.delivery)
                if window := self._windows.get(_place(settled.delivery)):
                    window.finish(int(settled.delivery.position))
        self._commit()

    def _commit(self) -> None:
        commits = self._broker.group(self.group).commits
        for place, window in self._windows.items():
            commits[place] = (window.watermark, window.metadata())

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        self._count(deliveries, 0)
        for delivery in deliveries:
            self._forget(delivery)
            if window := self._windows.get(_place(delivery)):
                window.give_back(int(delivery.position))
        await self._broker.notify()

    def _forget(self, delivery: Delivery) -> None:
        self._in_flight.get(_place(delivery), {}).pop(int(delivery.position), None)

    async def group_share(self) -> float:
        return len(self._windows) / (self._broker.partitions * len(self._streams))

    async def close(self) -> None:
        if self in self._broker.group(self.group).members:
            await self.hand_back([delivery for place in self._in_flight.values() for delivery in place.values()])
            await self._broker.kill(self)


class MemoryReader:
    owns_partitions = True

    def __init__(self, broker: "MemoryTransport", group: str, streams: Sequence[str], load: LoadPositions) -> None:
        self._broker = broker
        self.group = group
        self._streams = streams
        self._load = load
        self._positions: dict[int, dict[str, str]] = {}

    def revoke(self, keep: set[int]) -> None:
        self._positions = {p: of for p, of in self._positions.items() if p in keep}

    def forget_partitions(self) -> None:
        self._positions = {}

    async def assign(self, partitions: set[int]) -> None:
        for partition in partitions - self._positions.keys():
            await self.reload(partition)

    async def reload(self, partition: int) -> None:
        stored = await self._load(partition)
        self._positions[partition] = {stream: stored.get(stream, START) for stream in self._streams}

    async def read(self, limit: int, timeout: float) -> Batch | None:
        if batch := self._take(limit):
            return batch
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), self._broker.changed:
                await self._broker.changed.wait()
        return self._take(limit)

    def _take(self, limit: int) -> Batch | None:
        taken: list[Delivery] = []
        left = dict.fromkeys(self._streams, limit)
        for partition, positions in self._positions.items():
            for stream, position in positions.items():
                at = int(position or 0)
                log = self._broker.logs[stream, partition][at : at + left[stream]]
                taken += [Delivery(r, partition, str(n)) for n, (_, r) in enumerate(log, at)]
                positions[stream] = str(at + len(log))
                left[stream] -= len(log)
        read = {delivery.partition for delivery in taken}
        return Batch(taken, {partition: dict(self._positions[partition]) for partition in read}) if taken else None

    async def close(self) -> None:
        if self in self._broker.group(self.group).members:
            await self._broker.kill(self)


def _place(delivery: Delivery) -> Place:
    return (delivery.record.stream, delivery.partition)
