"""One member of a Redis consumer group: reads, keeps what it has in flight alive, takes over what the dead left."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from shared.errors import BrokerUnreachable
from shared.streams import streams_of
from shared.transport.base import Delivery, Settled
from shared.transport.redis_entries import Entries, delivery_of, pairs, publish_args, reaching
from shared.transport.redis_scripts import CLAIM, LEAVE, OWN

if TYPE_CHECKING:
    from shared.transport.redis_streams import RedisTransport

log = structlog.get_logger()
HANDED_BACK = "handed-back"  # the member that entries wait under, long idle, until somebody claims them
AT_ONCE = 86_400_000  # milliseconds of idleness: whoever looks next takes it
AS_IT_IS = -1


class RedisConsumer:
    def __init__(self, transport: "RedisTransport", group: str, member: str) -> None:
        self._transport = transport
        self._client = transport.client
        self._group = group
        self._member = member
        self._streams = [stream.name for stream in streams_of(group)]
        self._idle = transport.idle
        self._claim_script = self._client.register_script(CLAIM)
        self._own_script = self._client.register_script(OWN)
        self._leave_script = self._client.register_script(LEAVE)
        self._in_flight: dict[tuple[str, str], Delivery] = {}
        self._begun: set[tuple[str, str]] = set()  # whose delivery count in Redis includes this start
        self._left_here = True  # entries of an earlier process of the same name may wait
        self._next_claim = 0.0
        self._broken = False
        self._heart: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._heart = asyncio.create_task(self._beat(), name=f"heartbeat of {self._member}")

    async def fetch(self, limit: int, timeout: float) -> list[Delivery]:
        try:
            if self._broken:
                await self._come_back()
            if taken := await self._take_over(limit):
                return self._hand_out(taken)
            with reaching():
                found: Entries | None = await self._client.xreadgroup(  # type: ignore[assignment]  # RESP2's shape
                    self._group,
                    self._member,
                    dict.fromkeys(self._streams, ">"),
                    count=max(1, limit // len(self._streams)),
                    block=max(1, int(timeout * 1000)),
                )
        except BrokerUnreachable:
            self._broken = True
            raise
        new = [delivery_of(name.decode(), *entry) for name, entries in found or () for entry in entries]
        self._begun.update(map(_key, new))  # reading made their delivery count 1
        return self._hand_out(new)

    def _hand_out(self, deliveries: list[Delivery]) -> list[Delivery]:
        self._in_flight.update((_key(delivery), delivery) for delivery in deliveries)
        return deliveries

    async def _come_back(self) -> None:
        """After a break everybody's entries look idle: renew ours first and claim nothing for one idle period."""
        await self._renew()
        self._next_claim = time.monotonic() + self._idle
        self._broken = False

    async def _take_over(self, limit: int) -> list[Delivery]:
        """Entries of dead members, and, at the start, of the process that had our name before."""
        if self._left_here:
            taken = await self._claim(limit, idle=0, owner=self._member)
            self._left_here = bool(taken)
            return taken
        if time.monotonic() < self._next_claim:
            return []
        self._next_claim = time.monotonic() + self._idle / 3
        return await self._claim(limit, idle=self._idle, owner="")

    async def _claim(self, limit: int, *, idle: float, owner: str) -> list[Delivery]:
        taken: list[Delivery] = []
        for stream in self._streams:
            args = (self._group, self._member, int(idle * 1000), limit - len(taken), owner)
            with reaching():
                claimed = await self._claim_script(keys=[stream], args=args)
            found = [delivery_of(stream, entry_id, pairs(fields), starts) for entry_id, starts, fields in claimed]
            taken += [delivery for delivery in found if _key(delivery) not in self._in_flight]
            if len(taken) >= limit:
                break
        return taken

    async def started(self, deliveries: Sequence[Delivery]) -> None:
        not_counted = [delivery for delivery in deliveries if _key(delivery) not in self._begun]
        if not_counted:
            await self._own({delivery: delivery.starts + 1 for delivery in not_counted})
            self._begun.update(map(_key, not_counted))

    async def waiting(self, deliveries: Sequence[Delivery]) -> None:
        await self._own({delivery: delivery.starts for delivery in deliveries})
        self._begun.difference_update(map(_key, deliveries))

    async def settle(self, batch: Sequence[Settled]) -> None:
        args = [arg for settled in batch for record in settled.records for arg in publish_args(record)]
        ended = [settled.delivery for settled in batch if settled.delivery]
        for delivery in ended:
            args += ("A", delivery.record.stream, delivery.position)
        await self._transport.run_script(self._group, args)
        self._forget(ended)

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        self._forget(deliveries)
        await self._own({delivery: delivery.starts for delivery in deliveries}, new_owner=HANDED_BACK, idle_ms=AT_ONCE)

    def _forget(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._in_flight.pop(_key(delivery), None)
            self._begun.discard(_key(delivery))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._idle / 3)
            try:
                await self._renew()
            except BrokerUnreachable:
                self._broken = True

    async def _renew(self) -> None:
        lost = await self._own(dict.fromkeys(self._in_flight.values(), AS_IT_IS))
        if lost:
            log.warning("entries were taken over while this worker had them", entries=len(lost))

    async def _own(self, counts: Mapping[Delivery, int], *, new_owner: str = "", idle_ms: int = 0) -> list[str]:
        """Renew, recount or give away entries while they are ours; answers the ids that are not."""
        lost: list[str] = []
        for stream in self._streams:
            of_stream = [(d.position, n) for d, n in counts.items() if d.record.stream == stream]
            if not of_stream:
                continue
            args = (self._group, self._member, new_owner or self._member, idle_ms)
            with reaching():
                gone = await self._own_script(keys=[stream], args=[*args, *(a for pair in of_stream for a in pair)])
            lost += [entry_id.decode() for entry_id in gone]
        return lost

    async def close(self) -> None:
        """Hand back what is left and leave."""
        if self._heart:
            self._heart.cancel()
        await self.hand_back(list(self._in_flight.values()))
        for stream in self._streams:
            with reaching():
                await self._leave_script(keys=[stream], args=[self._group, self._member])


def _key(delivery: Delivery) -> tuple[str, str]:
    return (delivery.record.stream, delivery.position)
