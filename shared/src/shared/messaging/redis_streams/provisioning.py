"""Creates streams and groups, and finds lost groups. Used by `transport.py`."""

from functools import partial
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.errors import SettingInvalid
from shared.messaging.provisioning import Lost, ProvisioningPlan, Step
from shared.messaging.redis_streams.entries import translated_errors
from shared.streams import STREAMS

BEGINNING = "0"
PAGE = 1000  # entries


async def plan(client: Redis, partitions: int | None) -> ProvisioningPlan:
    """Raises SettingInvalid."""
    if partitions not in {None, 1}:
        raise SettingInvalid("--partitions: a Redis stream has one partition; only Kafka has several")
    groups: list[Step] = []
    lost: list[Lost] = []
    for stream in STREAMS:
        for group in stream.groups:
            if await _group_exists(client, stream.name, group):
                continue
            if await _ever_had_entries(client, stream.name):
                lost.append(Lost(group, stream.name))
            else:
                text = f"create the stream {stream.name} with group {group}"
                groups.append(Step(text, partial(create_group, client, stream.name, group)))
    return ProvisioningPlan(groups=groups, lost=lost)


async def create_group_at(client: Redis, stream: str, group: str, position: str) -> None:
    """Creates a group after `position`, with the number of entries before it, which Redis needs to know its lag."""
    with translated_errors():
        info = await client.xinfo_stream(stream)
        last: Any = info["last-generated-id"]
        after = await _count_between(client, stream, position, last)
    await create_group(client, stream, group, position, entries_read=info["entries-added"] - after)


async def _count_between(client: Redis, stream: str, position: str, last: bytes) -> int:
    count = 0
    while entries := await client.xrange(stream, min=f"({position}", max=last, count=PAGE):
        count += len(entries)
        position = str(entries[-1][0], "ascii")  # type: ignore[arg-type]  # bytes, as requested
    return count


async def create_group(
    client: Redis, stream: str, group: str, position: str = BEGINNING, entries_read: int | None = None
) -> bool:
    """Creates a group that starts after `position`. Returns False if it exists already."""
    try:
        with translated_errors():
            await client.xgroup_create(stream, group, id=position, mkstream=True, entries_read=entries_read)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
        return False
    return True


async def _group_exists(client: Redis, stream: str, group: str) -> bool:
    with translated_errors():
        groups = await client.xinfo_groups(stream) if await client.exists(stream) else []
    return group in {info["name"].decode() for info in groups}


async def _ever_had_entries(client: Redis, stream: str) -> bool:
    with translated_errors():
        return bool(await client.exists(stream) and (await client.xinfo_stream(stream))["entries-added"])
