"""A broker in the process, with partitions and forced rebalances like those of Kafka, for tests."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zlib import crc32

from contract.memory_broker.members import MemoryConsumer, MemoryReader, Place

from shared.errors import BrokerFull, PositionsLost
from shared.events import Event
from shared.messaging.broadcast import decode_or_skip
from shared.messaging.broker import START, Lag, LoadPositions, OnHeartbeat, Positions
from shared.messaging.cloudevents import Record
from shared.messaging.offset_tracker import OffsetTracker
from shared.messaging.provisioning import Lost, ProvisioningPlan, Step, create_missing
from shared.streams import STREAMS, WORKER_CONTROL, Stream, streams_of


@dataclass(slots=True)
class _Group:
    members: list[MemoryConsumer | MemoryReader] = field(default_factory=list)
    commits: dict[Place, tuple[int, str]] = field(default_factory=dict)


class MemoryTransport:
    """One broker and every connection to it."""

    def __init__(self, partitions: int = 12) -> None:
        self.partitions = partitions
        self.logs: dict[Place, list[tuple[datetime, Record]]] = {}
        self.groups: dict[str, _Group] = {}
        self.changed = asyncio.Condition()
        self.max_bytes: int | None = None  # of records' data
        self._stored_ids: set[str] = set()

    async def check(self) -> None: ...

    async def provision(self) -> list[str]:
        return await create_missing(await self.plan())

    async def plan(self, partitions: int | None = None) -> ProvisioningPlan:
        names = [name for stream in STREAMS for name in (stream.name, stream.dead_letters)]
        missing = [name for name in names if (name, 0) not in self.logs]
        unplaced = [
            (group, stream.name)
            for stream in STREAMS
            for group in stream.groups
            if not self.group(group).commits.keys() >= set(self._places(stream.name))
        ]
        lost = [(group, s) for group, s in unplaced if any(self.logs.get(place) for place in self._places(s))]
        new = [place for place in unplaced if place not in lost]
        return ProvisioningPlan(
            [Step(f"create the stream {name}", partial(self._make_stream, name)) for name in missing],
            [Step(f"create the group {group} of stream {s}", partial(self._begin, group, s)) for group, s in new],
            lost=[Lost(group, stream) for group, stream in lost],
        )

    def _places(self, stream: str) -> list[Place]:
        return [(stream, partition) for partition in range(self.partitions)]

    async def _make_stream(self, name: str) -> bool:
        self.logs.update({place: [] for place in self._places(name)})
        return True

    async def _begin(self, group: str, stream: str) -> bool:
        self.group(group).commits.update(dict.fromkeys(self._places(stream), (0, "")))
        return True

    async def set_positions(self, group: str, stream: str, positions: Mapping[int, Positions]) -> None:
        at = {(stream, partition): (int(of.get(stream) or 0), "") for partition, of in positions.items()}
        self.group(group).commits.update(at)

    async def publish(self, records: Sequence[Record]) -> None:
        if records and (await self.memory_share() or 0) >= 1:
            raise BrokerFull("the memory limit is reached")
        causing = {stream.name for stream in STREAMS if stream.causes_work}
        for record in records:
            if record.stream in causing:
                if record.event_id in self._stored_ids:
                    continue
                self._stored_ids.add(record.event_id)
            number = 0 if record.stream == WORKER_CONTROL.name else crc32(record.key.encode()) % self.partitions
            self.logs[record.stream, number].append((datetime.now(UTC), record))
        await self.notify()

    async def notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def consumer(self, group: str, member: str) -> MemoryConsumer:
        consumer = MemoryConsumer(self, group)
        self.group(group).members.append(consumer)
        await self.rebalance(group)
        return consumer

    async def reader(self, group: str, member: str, streams: Sequence[str], load: LoadPositions) -> MemoryReader:
        reader = MemoryReader(self, group, streams, load)
        self.group(group).members.append(reader)
        await self.rebalance(group)
        return reader

    def group(self, name: str) -> _Group:
        return self.groups.setdefault(name, _Group())

    async def rebalance(self, name: str, shift: int = 0) -> None:
        """Deal the partitions out again; `shift` moves every one of them to the next member."""
        members = self.group(name).members
        deal = {
            member: {p for p in range(self.partitions) if (p + shift) % len(members) == number}
            for number, member in enumerate(members)
        }
        for member, mine in deal.items():
            member.revoke(mine)
        for member, mine in deal.items():
            await member.assign(mine)
        await self.notify()

    async def kill(self, member: MemoryConsumer | MemoryReader) -> None:
        """It dies without a word, and its group notices: from now on it may do nothing that counts."""
        self.group(member.group).members.remove(member)
        member.forget_partitions()
        await self.rebalance(member.group)

    async def end_positions(self, streams: Sequence[str]) -> Mapping[int, Positions]:
        return {p: {s: str(len(self.logs[s, p]) or START) for s in streams} for p in range(self.partitions)}

    def has_reached(self, positions: Mapping[int, Positions], ends: Mapping[int, Positions]) -> bool:
        return all(
            int(positions.get(partition, {}).get(stream) or 0) >= int(end or 0)
            for partition, of in ends.items()
            for stream, end in of.items()
        )

    async def oldest_after(self, positions: Mapping[int, Positions]) -> datetime | None:
        streams = {stream for of in positions.values() for stream in of}
        at = {place: int(positions.get(place[1], {}).get(place[0]) or 0) for s in streams for place in self._places(s)}
        unread = [self.logs[place][position][0] for place, position in at.items() if position < len(self.logs[place])]
        return min(unread, default=None)

    async def lag(self, group: str) -> Lag:
        of_group = self.group(group)
        names = {stream.name for stream in streams_of(group)}
        logs = {place: log for place, log in self.logs.items() if place[0] in names}
        if not of_group.commits.keys() >= logs.keys():
            raise PositionsLost(f"the group {group} has no position", [group])
        windows = {place: OffsetTracker(*of_group.commits[place]) for place in logs}
        behind = sum(len(log) - windows[place].watermark - windows[place].finished for place, log in logs.items())
        in_flight = sum(member.in_flight for member in of_group.members if isinstance(member, MemoryConsumer))
        unsettled = (log[windows[place].watermark :] for place, log in logs.items())
        return Lag(behind - in_flight, in_flight, min((log[0][0] for log in unsettled if log), default=None))

    async def memory_share(self) -> float | None:
        if self.max_bytes is None:
            return None
        return sum(len(record.data) for log in self.logs.values() for _, record in log) / self.max_bytes

    async def trim(self, stream: Stream, projected: Mapping[int, Positions], keep: timedelta, max_bytes: int) -> int:
        return 0

    async def follow_heartbeats(self, on_heartbeat: OnHeartbeat) -> None:
        raise NotImplementedError("nothing here beats")

    async def follow_control(self, on_event: Callable[[Event], None], on_caught_up: Callable[[], None]) -> None:
        followed = 0
        while True:
            log = [record for _, record in self.logs[WORKER_CONTROL.name, 0]]
            for event in filter(None, map(decode_or_skip, log[followed:])):
                on_event(event)
            followed = len(log)
            on_caught_up()
            async with self.changed:
                await self.changed.wait()

    def faststream_broker(self) -> Any:
        raise NotImplementedError("nothing runs on it")

    async def close(self) -> None: ...
