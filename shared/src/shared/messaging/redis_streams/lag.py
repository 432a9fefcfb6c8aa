"""Measures a group's lag in Redis, and how full Redis is."""

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from shared.errors import PositionsLost
from shared.messaging.broker import Lag
from shared.messaging.provisioning import PROVISION
from shared.messaging.redis_streams.entries import entry_time, translated_errors
from shared.streams import streams_of


async def lag(client: Redis, group: str) -> Lag:
    """Two round trips, three commands per stream. `expires_at` is never set: trimming spares unread entries."""
    names = [stream.name for stream in streams_of(group)]
    with translated_errors():
        pipeline = client.pipeline(transaction=False)
        for name in names:
            pipeline.xinfo_groups(name)
        group_infos = [{info["name"].decode(): info for info in infos}.get(group) for infos in await pipeline.execute()]
        for name, info in zip(names, group_infos, strict=True):
            if info is None:
                raise PositionsLost(f"the group {group} of stream {name} does not exist. {PROVISION}", [group])
            pipeline.xpending(name, group)
            pipeline.xrange(name, min=f"({info['last-delivered-id'].decode()}", count=1)
        results = await pipeline.execute()
    pending, unread = results[::2], results[1::2]
    oldest = [summary["min"] for summary in pending if summary["pending"]] + [
        entries[0][0] for entries in unread if entries
    ]
    return Lag(
        waiting=sum(info["lag"] or 0 for info in group_infos if info),
        in_flight=sum(info["pending"] for info in group_infos if info),
        oldest=min(map(entry_time, oldest), default=None),
    )


async def memory_share(client: Redis) -> float | None:
    """Used share of maxmemory as Redis counts it, without the buffers of its append-only file and its replicas."""
    with translated_errors():
        try:
            info = await client.info("memory")
        except NoPermissionError:
            return None
    limit = info["maxmemory"]
    return (info["used_memory"] - info["mem_not_counted_for_evict"]) / limit if limit else None
