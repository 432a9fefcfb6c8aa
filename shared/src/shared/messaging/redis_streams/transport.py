"""Redis Streams (Redis ≥ 7.2, Valkey) as a `Transport`: one partition, one entry per record."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from faststream.redis import RedisBroker
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from shared.errors import BrokerUnreachable, BrokerUnsafe
from shared.events import Event
from shared.messaging.broker import ONLY_PARTITION, START, Lag, LoadPositions, OnHeartbeat, Positions
from shared.messaging.cloudevents import Record
from shared.messaging.provisioning import ProvisioningPlan, create_missing
from shared.messaging.redis_streams import lag as measure
from shared.messaging.redis_streams import provisioning, trimming
from shared.messaging.redis_streams.connection import HiredisConnection
from shared.messaging.redis_streams.consumer import RedisConsumer
from shared.messaging.redis_streams.control_hash import follow_control
from shared.messaging.redis_streams.entries import SOCKET_TIMEOUT, entry_time, publish_args, sort_key, translated_errors
from shared.messaging.redis_streams.heartbeats import follow_heartbeats
from shared.messaging.redis_streams.provisioning import BEGINNING
from shared.messaging.redis_streams.reader import RedisReader
from shared.messaging.redis_streams.scripts import PUBLISH_AND_ACK
from shared.messaging.settings import BrokerSettings
from shared.streams import Stream

BATCH = 500  # records per script call, so that no call holds the server for long


class RedisTransport:
    """`idle`: seconds without a heartbeat after which a member's entries are claimed by others."""

    def __init__(self, url: str, *, idle: float = 3.0, allow_volatile: bool = False) -> None:
        self._url = url
        self.client: Redis = Redis.from_url(
            url,
            connection_class=HiredisConnection,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            socket_connect_timeout=2,
            socket_timeout=SOCKET_TIMEOUT,
            health_check_interval=0,
        )
        self.idle = idle
        self._allow_volatile = allow_volatile
        self._sync_each_publish = False
        self._publish = self.client.register_script(PUBLISH_AND_ACK)

    @classmethod
    def of(cls, settings: BrokerSettings) -> Self:
        return cls(
            settings.broker_url, idle=settings.session_timeout_seconds, allow_volatile=settings.allow_volatile_broker
        )

    async def check(self) -> None:
        with translated_errors():
            try:
                config = await self.client.config_get("appendonly", "appendfsync", "maxmemory-policy")
            except ResponseError as error:
                if self._allow_volatile:
                    return
                raise BrokerUnsafe(f"cannot check whether Redis persists its data ({error}): {_ALLOW}") from error
        if config["maxmemory-policy"] != "noeviction":
            raise BrokerUnsafe(
                f"Redis may evict streams (maxmemory-policy {config['maxmemory-policy']}): set noeviction"
            )
        if config["appendonly"] != "yes" and not self._allow_volatile:
            raise BrokerUnsafe(
                f"Redis has no append-only file (appendonly no), a crash would lose accepted submissions: {_ALLOW}"
            )
        self._sync_each_publish = config["appendonly"] == "yes" and config["appendfsync"] != "always"

    async def provision(self) -> list[str]:
        return await create_missing(await self.plan())

    async def plan(self, partitions: int | None = None) -> ProvisioningPlan:
        return await provisioning.plan(self.client, partitions)

    async def set_positions(self, group: str, stream: str, positions: Mapping[int, Positions]) -> None:
        await provisioning.create_group_at(
            self.client, stream, group, positions[ONLY_PARTITION].get(stream) or BEGINNING
        )

    async def publish(self, records: Sequence[Record]) -> None:
        for start in range(0, len(records), BATCH):
            await self._store([arg for r in records[start : start + BATCH] for arg in publish_args(r)])

    async def _store(self, args: Sequence[str | bytes | int]) -> None:
        """Waits for the sync of the append-only file, unless Redis syncs every write."""
        with translated_errors():
            if not self._sync_each_publish:
                await self._publish(args=["", *args])
                return
            pipeline = self.client.pipeline(transaction=False)
            await self._publish(args=["", *args], client=pipeline)
            pipeline.execute_command("WAITAOF", 1, 0, 4000)
            _, (synced, _) = await pipeline.execute()
        if not synced:
            raise BrokerUnreachable("Redis did not sync its append-only file within 4 s")

    async def consumer(self, group: str, member: str) -> RedisConsumer:
        consumer = RedisConsumer(self.client, group, member, idle=self.idle)
        await consumer.open()
        return consumer

    async def reader(self, group: str, member: str, streams: Sequence[str], load: LoadPositions) -> RedisReader:
        reader = RedisReader(self.client, streams, load)
        await reader.open()
        return reader

    async def end_positions(self, streams: Sequence[str]) -> Mapping[int, Positions]:
        with translated_errors():
            pipeline = self.client.pipeline(transaction=False)
            for stream in streams:
                pipeline.xrevrange(stream, count=1)
            last = await pipeline.execute()
        return {
            ONLY_PARTITION: {
                s: entries[0][0].decode() if entries else START for s, entries in zip(streams, last, strict=True)
            }
        }

    def has_reached(self, positions: Mapping[int, Positions], ends: Mapping[int, Positions]) -> bool:
        return all(
            sort_key(positions.get(partition, {}).get(stream) or "0-0") >= sort_key(end or "0-0")
            for partition, end_by_stream in ends.items()
            for stream, end in end_by_stream.items()
        )

    async def oldest_after(self, positions: Mapping[int, Positions]) -> datetime | None:
        with translated_errors():
            pipeline = self.client.pipeline(transaction=False)
            for stream, position in positions.get(ONLY_PARTITION, {}).items():
                pipeline.xrange(stream, min=f"({position}" if position else "-", count=1)
            first = await pipeline.execute()
        return min((entry_time(entries[0][0]) for entries in first if entries), default=None)

    async def lag(self, group: str) -> Lag:
        return await measure.lag(self.client, group)

    async def memory_share(self) -> float | None:
        return await measure.memory_share(self.client)

    async def trim(self, stream: Stream, projected: Mapping[int, Positions], keep: timedelta, max_bytes: int) -> int:
        return await trimming.trim(self.client, stream, projected[ONLY_PARTITION], keep, max_bytes)

    async def follow_heartbeats(self, on_heartbeat: OnHeartbeat) -> None:
        await follow_heartbeats(self.faststream_broker(), on_heartbeat)

    async def follow_control(self, on_event: Callable[[Event], None], on_caught_up: Callable[[], None]) -> None:
        await follow_control(self.client, on_event, on_caught_up)

    def faststream_broker(self) -> RedisBroker:
        """The FastStream broker: lifecycle, and subscribers of streams without settlement."""
        return RedisBroker(self._url, logger=logging.getLogger("shared.broker"))

    async def close(self) -> None:
        await self.client.aclose()


_ALLOW = "set appendonly yes, or TOPICFLOW_ALLOW_VOLATILE_BROKER=true to accept losses"
