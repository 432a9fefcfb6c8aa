"""A member of a Redis consumer group: reads entries, renews those in flight, claims those of dead members."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence

import structlog
from redis.asyncio import Redis

from shared.errors import BrokerUnreachable, PositionsLost
from shared.messaging.broker import Delivery, Settled
from shared.messaging.redis_streams.entries import Entries, block, delivery_of, pairs, publish_args, translated_errors
from shared.messaging.redis_streams.scripts import CLAIM, LEAVE, OWN, PUBLISH_AND_ACK
from shared.streams import streams_of

log = structlog.get_logger()
HANDED_BACK = "handed-back"  # pseudo-member that owns entries handed back, until a member claims them
HANDED_BACK_INTERVAL = 0.5  # seconds between checks for such entries
UNCHANGED = -1  # delivery count
ANY_TIME = (0, 2**53)


class RedisConsumer:
    """A member counts as dead if it has not renewed its entries for `idle` seconds. After a pause of its own or of the
    broker, a member renews first and claims nothing for another `idle` seconds, so that the others can renew too. All
    times are the broker's."""

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
        self._counted: set[tuple[str, str]] = set()  # whose delivery count in Redis includes this start
        self._taken: set[str] = set()  # ids that others have claimed while they were in flight here
        self._may_have_pending = True  # under our own name, from an earlier process or a lost response
        self._next_handed_back_check = self._next_claim = 0.0  # monotonic
        self._renewed_at = 0  # broker time of our last heartbeat, in milliseconds
        self._may_claim_from = 0
        self._heartbeat: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._heartbeat = asyncio.create_task(self._renew_forever(), name=f"heartbeat of {self._member}")

    async def fetch(self, limit: int, timeout: float) -> list[Delivery]:
        try:
            taken = await self._take_over(limit) or await self._read(limit, timeout)
        except BrokerUnreachable:
            self._may_have_pending = True
            raise
        self._in_flight.update((_key(delivery), delivery) for delivery in taken)
        return taken

    async def _read(self, limit: int, timeout: float) -> list[Delivery]:
        """COUNT is per stream: with fewer free slots than streams, some are read now and the others next time."""
        streams = self._streams[:limit]
        self._streams = self._streams[limit:] + streams
        seconds = timeout if len(streams) == len(self._streams) else min(timeout, 0.02)
        with translated_errors():
            entries_by_stream: Entries | None = await self._client.xreadgroup(  # type: ignore[assignment]  # RESP2's shape
                self._group,
                self._member,
                dict.fromkeys(streams, ">"),
                count=limit // len(streams),
                block=block(seconds),
            )
        new = [delivery_of(name.decode(), *entry) for name, entries in entries_by_stream or () for entry in entries]
        self._counted.update(map(_key, new))  # reading set their delivery count to 1
        return new

    async def _take_over(self, limit: int) -> list[Delivery]:
        """Claims entries pending under our own name, then those handed back, then those of dead members."""
        now = time.monotonic()
        if self._may_have_pending:
            taken = await self._claim(limit, self._member, ANY_TIME)
            self._may_have_pending = bool(taken)
            return taken
        if now >= self._next_handed_back_check:
            self._next_handed_back_check = now + min(HANDED_BACK_INTERVAL, self._idle / 3)
            if taken := await self._claim(limit, HANDED_BACK, ANY_TIME):
                return taken
        if now >= self._next_claim and self._renewed_at:
            self._next_claim = now + self._idle / 3
            return await self._claim(limit, "", (self._may_claim_from, self._renewed_at + _ms(self._idle / 2)))
        return []

    async def _claim(self, limit: int, owner: str, between: tuple[int, int]) -> list[Delivery]:
        """`owner`: whose entries to claim; "" for those of any dead member."""
        taken: list[Delivery] = []
        own = len(self._in_flight) if owner == self._member else 0  # these are returned as well, and skipped
        for stream in self._streams:
            idle = 0 if owner else _ms(self._idle)
            args = (self._group, self._member, idle, limit - len(taken) + own, owner, *between)
            with translated_errors():
                claimed = await self._claim_script(keys=[stream], args=args)
            deliveries = [delivery_of(stream, entry_id, pairs(fields), starts) for entry_id, starts, fields in claimed]
            taken += [delivery for delivery in deliveries if _key(delivery) not in self._in_flight]
            if len(taken) >= limit:
                break
        return taken[:limit]

    async def started(self, deliveries: Sequence[Delivery]) -> Collection[Delivery]:
        not_counted = [delivery for delivery in deliveries if _key(delivery) not in self._counted]
        if not not_counted:
            return []
        ids = set(await self._update_owned({delivery: delivery.starts + 1 for delivery in not_counted}))
        taken = [delivery for delivery in not_counted if delivery.position in ids]
        self._counted.update(map(_key, not_counted))
        self._forget(taken)
        return taken

    async def waiting(self, deliveries: Sequence[Delivery]) -> None:
        await self._update_owned({delivery: delivery.starts for delivery in deliveries})
        self._counted.difference_update(map(_key, deliveries))

    async def settle(self, batch: Sequence[Settled]) -> None:
        args = [arg for settled in batch for record in settled.records for arg in publish_args(record)]
        ended = [settled.delivery for settled in batch if settled.delivery]
        for delivery in ended:
            args += ("A", delivery.record.stream, delivery.position)
        with translated_errors():
            await self._settle_script(args=[self._group, *args])
        self._forget(ended)

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        self._forget(deliveries)
        await self._update_owned({delivery: delivery.starts for delivery in deliveries}, new_owner=HANDED_BACK)

    def _forget(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._in_flight.pop(_key(delivery), None)
            self._counted.discard(_key(delivery))

    async def _renew_forever(self) -> None:
        while True:
            try:
                await self._renew()
                await asyncio.sleep(self._idle / 3)
            except (BrokerUnreachable, PositionsLost):  # `fetch` reports a lost group
                await asyncio.sleep(self._idle / 10)

    async def _renew(self) -> None:
        with translated_errors():
            async with asyncio.timeout(self._idle / 3):
                taken = set(await self._update_owned(dict.fromkeys(self._in_flight.values(), UNCHANGED)))
                seconds, microseconds = await self._client.time()
        taken &= {position for _, position in self._in_flight}  # the others have been settled meanwhile
        if taken - self._taken:
            log.warning("entries_taken_over", entries=len(taken - self._taken))
        self._taken = taken
        now = seconds * 1000 + microseconds // 1000
        if self._renewed_at and now - self._renewed_at > _ms(self._idle / 2):
            self._may_claim_from = now + _ms(self._idle)
        self._renewed_at = now

    async def _update_owned(self, counts: Mapping[Delivery, int], *, new_owner: str = "") -> list[str]:
        """Renews entries that we still own, sets their delivery counts and owner; returns the ids of the others."""
        taken: list[str] = []
        for stream in self._streams:
            of_stream = [(d.position, n) for d, n in counts.items() if d.record.stream == stream]
            if not of_stream:
                continue
            args = (self._group, self._member, new_owner or self._member)
            with translated_errors():
                not_owned = await self._own_script(
                    keys=[stream], args=[*args, *(a for pair in of_stream for a in pair)]
                )
            taken += [entry_id.decode() for entry_id in not_owned]
        return taken

    async def group_share(self) -> float:
        """Equal shares for all live members; a new member counts from its first read."""
        with translated_errors():
            members = await self._client.xinfo_consumers(self._streams[0], self._group)
        max_idle = 2 * self._idle * 1000
        others = [c for c in members if c["idle"] < max_idle and c["name"] != self._member.encode()]
        return 1 / (len(others) + 1)

    async def close(self) -> None:
        """Hands back what is left and leaves the group; if the broker is down, other members take over later."""
        if self._heartbeat:
            self._heartbeat.cancel()
            await asyncio.wait([self._heartbeat])
        try:
            await self.hand_back(list(self._in_flight.values()))
            for stream in self._streams:
                with translated_errors():
                    await self._leave_script(keys=[stream], args=[self._group, self._member])
        except (BrokerUnreachable, PositionsLost) as error:
            log.warning("leave_group_failed", error=str(error))


def _key(delivery: Delivery) -> tuple[str, str]:
    return (delivery.record.stream, delivery.position)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
