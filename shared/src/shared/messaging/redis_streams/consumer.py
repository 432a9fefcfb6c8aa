"""A member of a Redis consumer group: reads entries, renews those in flight, claims those of dead members."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence

import structlog
from redis.asyncio import Redis

from shared.errors import BrokerUnreachable, PositionsLost
from shared.messaging.broker import Delivery, Settled
from shared.messaging.redis_streams.entries import Entries, block, delivery_of, pairs, publish_args, reaching
from shared.messaging.redis_streams.scripts import CLAIM, LEAVE, OWN, PUBLISH_AND_ACK
from shared.streams import streams_of

log = structlog.get_logger()
HANDED_BACK = "handed-back"  # the pseudo-member that owns entries handed back, until a member claims them
LOOK_EVERY = 0.5  # seconds between checks for entries that were handed back
AS_IT_IS = -1
ALWAYS = (0, 2**53)


class RedisConsumer:
    """A member is considered dead once its heartbeat has not renewed its entries for `idle` seconds. After a silence
    of its own, or of the broker, it renews first and claims nothing for as long, so that the others can renew
    theirs. All times are the broker's."""

    def __init__(self, client: Redis, group: str, member: str, *, idle: float) -> None:
        """`idle`: seconds without a heartbeat after which a member's entries are taken over."""
        self._client = client
        self._group = group
        self._member = member
        self._streams = [stream.name for stream in streams_of(group)]
        self._idle = idle
        self._settle_script = client.register_script(PUBLISH_AND_ACK)
        self._claim_script = client.register_script(CLAIM)
        self._own_script = client.register_script(OWN)
        self._leave_script = client.register_script(LEAVE)
        self._in_flight: dict[tuple[str, str], Delivery] = {}
        self._begun: set[tuple[str, str]] = set()  # entries whose delivery count in Redis includes this start
        self._lost: set[str] = set()  # ids that others have claimed while they were in flight here
        self._left_here = True  # entries may be pending under our name, from an earlier process or a lost response
        self._next_look = self._next_claim = 0.0  # monotonic
        self._heard = 0  # when the broker last received our heartbeat
        self._may_claim_from = 0
        self._heart: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._heart = asyncio.create_task(self._beat(), name=f"heartbeat of {self._member}")

    async def fetch(self, limit: int, timeout: float) -> list[Delivery]:
        try:
            taken = await self._take_over(limit) or await self._read(limit, timeout)
        except BrokerUnreachable:
            self._left_here = True
            raise
        self._in_flight.update((_key(delivery), delivery) for delivery in taken)
        return taken

    async def _read(self, limit: int, timeout: float) -> list[Delivery]:
        """COUNT is per stream: with fewer free slots than streams, some are read now and the others next time."""
        streams = self._streams[:limit]
        self._streams = self._streams[limit:] + streams
        seconds = timeout if len(streams) == len(self._streams) else min(timeout, 0.02)
        with reaching():
            found: Entries | None = await self._client.xreadgroup(  # type: ignore[assignment]  # RESP2's shape
                self._group,
                self._member,
                dict.fromkeys(streams, ">"),
                count=limit // len(streams),
                block=block(seconds),
            )
        new = [delivery_of(name.decode(), *entry) for name, entries in found or () for entry in entries]
        self._begun.update(map(_key, new))  # reading set their delivery count to 1
        return new

    async def _take_over(self, limit: int) -> list[Delivery]:
        """Claims what is pending under our own name, what was handed back, and what dead members had."""
        now = time.monotonic()
        if self._left_here:
            taken = await self._claim(limit, self._member, ALWAYS)
            self._left_here = bool(taken)
            return taken
        if now >= self._next_look:
            self._next_look = now + min(LOOK_EVERY, self._idle / 3)
            if taken := await self._claim(limit, HANDED_BACK, ALWAYS):
                return taken
        if now >= self._next_claim and self._heard:
            self._next_claim = now + self._idle / 3
            return await self._claim(limit, "", (self._may_claim_from, self._heard + _ms(self._idle / 2)))
        return []

    async def _claim(self, limit: int, owner: str, between: tuple[int, int]) -> list[Delivery]:
        """`owner`: whose entries to claim; "" for those of any dead member."""
        taken: list[Delivery] = []
        own = len(self._in_flight) if owner == self._member else 0  # these are returned as well, and skipped
        for stream in self._streams:
            idle = 0 if owner else _ms(self._idle)
            args = (self._group, self._member, idle, limit - len(taken) + own, owner, *between)
            with reaching():
                claimed = await self._claim_script(keys=[stream], args=args)
            found = [delivery_of(stream, entry_id, pairs(fields), starts) for entry_id, starts, fields in claimed]
            taken += [delivery for delivery in found if _key(delivery) not in self._in_flight]
            if len(taken) >= limit:
                break
        return taken[:limit]

    async def started(self, deliveries: Sequence[Delivery]) -> Collection[Delivery]:
        not_counted = [delivery for delivery in deliveries if _key(delivery) not in self._begun]
        if not not_counted:
            return []
        ids = set(await self._own({delivery: delivery.starts + 1 for delivery in not_counted}))
        lost = [delivery for delivery in not_counted if delivery.position in ids]
        self._begun.update(map(_key, not_counted))
        self._forget(lost)
        return lost

    async def waiting(self, deliveries: Sequence[Delivery]) -> None:
        await self._own({delivery: delivery.starts for delivery in deliveries})
        self._begun.difference_update(map(_key, deliveries))

    async def settle(self, batch: Sequence[Settled]) -> None:
        args = [arg for settled in batch for record in settled.records for arg in publish_args(record)]
        ended = [settled.delivery for settled in batch if settled.delivery]
        for delivery in ended:
            args += ("A", delivery.record.stream, delivery.position)
        with reaching():
            await self._settle_script(args=[self._group, *args])
        self._forget(ended)

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        self._forget(deliveries)
        await self._own({delivery: delivery.starts for delivery in deliveries}, new_owner=HANDED_BACK)

    def _forget(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._in_flight.pop(_key(delivery), None)
            self._begun.discard(_key(delivery))

    async def _beat(self) -> None:
        while True:
            try:
                await self._renew()
                await asyncio.sleep(self._idle / 3)
            except (BrokerUnreachable, PositionsLost):  # `fetch` reports a lost group
                await asyncio.sleep(self._idle / 10)

    async def _renew(self) -> None:
        with reaching():
            async with asyncio.timeout(self._idle / 3):
                lost = set(await self._own(dict.fromkeys(self._in_flight.values(), AS_IT_IS)))
                seconds, microseconds = await self._client.time()
        lost &= {position for _, position in self._in_flight}  # the others have been settled meanwhile
        if lost - self._lost:
            log.warning("entries_taken_over", entries=len(lost - self._lost))
        self._lost = lost
        now = seconds * 1000 + microseconds // 1000
        if self._heard and now - self._heard > _ms(self._idle / 2):
            self._may_claim_from = now + _ms(self._idle)
        self._heard = now

    async def _own(self, counts: Mapping[Delivery, int], *, new_owner: str = "") -> list[str]:
        """Renews, recounts or hands over entries that we still own; returns the ids of the others."""
        lost: list[str] = []
        for stream in self._streams:
            of_stream = [(d.position, n) for d, n in counts.items() if d.record.stream == stream]
            if not of_stream:
                continue
            args = (self._group, self._member, new_owner or self._member)
            with reaching():
                gone = await self._own_script(keys=[stream], args=[*args, *(a for pair in of_stream for a in pair)])
            lost += [entry_id.decode() for entry_id in gone]
        return lost

    async def share(self) -> float:
        """An equal share for each live member; a new one counts from its first read."""
        with reaching():
            found = await self._client.xinfo_consumers(self._streams[0], self._group)
        lately = 2 * self._idle * 1000
        others = [c for c in found if c["idle"] < lately and c["name"] != self._member.encode()]
        return 1 / (len(others) + 1)

    async def close(self) -> None:
        """Hands back what is left and leaves the group; if the broker is away, others will take over."""
        if self._heart:
            self._heart.cancel()
            await asyncio.wait([self._heart])
        try:
            await self.hand_back(list(self._in_flight.values()))
            for stream in self._streams:
                with reaching():
                    await self._leave_script(keys=[stream], args=[self._group, self._member])
        except (BrokerUnreachable, PositionsLost) as error:
            log.warning("leave_group_failed", error=str(error))


def _key(delivery: Delivery) -> tuple[str, str]:
    return (delivery.record.stream, delivery.position)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
