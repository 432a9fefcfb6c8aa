"""Reads whole streams from positions that the caller stores, for the status-projector."""

from collections.abc import Sequence

from redis.asyncio import Redis

from shared.errors import PositionsLost
from shared.messaging.broker import ONLY_PARTITION, START, Batch, LoadPositions
from shared.messaging.redis_streams.entries import Entries, block, delivery_of, translated_errors


class RedisReader:
    owns_partitions = False  # every reader reads everything

    def __init__(self, client: Redis, streams: Sequence[str], load: LoadPositions) -> None:
        self._client = client
        self._streams = streams
        self._load = load
        self._positions: dict[str, str] = {}

    async def open(self) -> None:
        await self.reload(ONLY_PARTITION)
        for stream, position in self._positions.items():
            await self._check(stream, position)

    async def _check(self, stream: str, position: str) -> None:
        """Raises PositionsLost if reading would silently skip entries, because the stream was recreated or entries were
        trimmed before they were read. Our own trimming keeps the entry at the position."""
        with translated_errors():
            if position:
                covered = bool(await self._client.xrange(stream, min=position, max=position))
            elif await self._client.exists(stream):
                info = await self._client.xinfo_stream(stream)
                covered = info["entries-added"] == info["length"]
            else:
                covered = True
        if not covered:
            raise PositionsLost(
                f"the stream {stream} no longer has what comes after {position or 'its beginning'}: it was trimmed or"
                " recreated. Restore Redis and the database from backups of the same time"
            )

    async def reload(self, partition: int) -> None:
        stored = await self._load(partition)
        self._positions = {stream: stored.get(stream, START) for stream in self._streams}

    async def read(self, limit: int, timeout: float) -> Batch | None:
        with translated_errors():
            entries_by_stream: Entries | None = await self._client.xread(  # type: ignore[assignment]  # RESP2's shape
                {stream: position or "0-0" for stream, position in self._positions.items()},
                count=limit,
                block=block(timeout),
            )
        if not entries_by_stream:
            return None
        deliveries = []
        for name, entries in entries_by_stream:
            stream = name.decode()
            deliveries += [delivery_of(stream, entry_id, fields) for entry_id, fields in entries]
            self._positions[stream] = entries[-1][0].decode()
        return Batch(deliveries, {ONLY_PARTITION: dict(self._positions)})

    async def close(self) -> None: ...
