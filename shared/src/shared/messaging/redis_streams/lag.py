"""Measures a group's lag in Redis, and how full Redis is."""

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from shared.errors import PositionsLost
from shared.messaging.broker import Lag
from shared.messaging.provisioning import PROVISION
from shared.messaging.redis_streams.entries import entry_time, reaching
from shared.streams import streams_of


async def lag(client: Redis, group: str) -> Lag:
    """Two round trips, three commands per stream. Nothing unread is ever lost, because our trimming spares it."""
    names = [stream.name for stream in streams_of(group)]
    with reaching():
        pipeline = client.pipeline(transaction=False)
        for name in names:
            pipeline.xinfo_groups(name)
        found = [{info["name"].decode(): info for info in infos}.get(group) for infos in await pipeline.execute()]
        for name, info in zip(names, found, strict=True):
            if info is None:
                raise PositionsLost(f"the group {group} of stream {name} is gone. {PROVISION}", [group])
            pipeline.xpending(name, group)
            pipeline.xrange(name, min=f"({info['last-delivered-id'].decode()}", count=1)
        firsts = await pipeline.execute()
    pending, unread = firsts[::2], firsts[1::2]
    oldest = [of["min"] for of in pending if of["pending"]] + [entries[0][0] for entries in unread if entries]
    return Lag(
        waiting=sum(info["lag"] or 0 for info in found if info),
        in_flight=sum(info["pending"] for info in found if info),
        oldest=min(map(entry_time, oldest), default=None),
    )


async def memory_share(client: Redis) -> float | None:
    """Share of maxmemory in use, as Redis counts it: without the buffers of its file and its replicas."""
    with reaching():
        try:
            info = await client.info("memory")
        except NoPermissionError:
            return None
    limit = info["maxmemory"]
    return (info["used_memory"] - info["mem_not_counted_for_evict"]) / limit if limit else None
