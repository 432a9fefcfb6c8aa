"""The brokers of the contract tests, with the faults that tests can cause."""

from collections.abc import Sequence
from typing import Protocol, cast

from contract.memory_broker.members import MemoryConsumer
from contract.memory_broker.transport import MemoryTransport
from servers import ValkeyServer

from shared.messaging.broker import Consumer, LoadPositions, Reader, Transport
from shared.messaging.redis_streams.consumer import RedisConsumer
from shared.messaging.redis_streams.transport import RedisTransport
from shared.streams import streams_of

GROUP = "topic-worker"


class Broker(Protocol):
    """`idle`: seconds of silence after which a member counts as dead; a test may set it before members join."""

    idle: float
    is_static: bool  # members have stable names; a test can set it before they join
    drops_repeats: bool  # work events are stored once per event id
    transport: Transport

    async def connect(self) -> Transport:
        """One more connection, closed at the end of the test."""

    async def member(self, name: str = "a") -> Consumer:
        """One more member of the group, on a connection of its own."""

    async def reader(self, streams: Sequence[str], load: LoadPositions) -> Reader: ...

    async def kill(self, member: Consumer) -> None:
        """SIGKILL."""

    async def freeze(self, member: Consumer) -> None:
        """Its group considers it dead, although it is alive."""

    async def thaw(self, member: Consumer) -> None:
        """It is a member again, and still has its deliveries."""

    async def rebalance(self) -> None:
        """Redistributes partitions, as can happen at any time; does nothing on brokers without rebalances."""

    async def lose_positions(self) -> None:
        """Of a group without members."""

    async def limit_memory(self, limit: int | None) -> None:
        """Limits the memory to this number of bytes, even if it already uses more."""

    async def go_away(self) -> None:
        """The broker is killed."""

    async def come_back(self) -> None: ...

    async def end(self) -> None: ...


class MemoryBroker:
    def __init__(self) -> None:
        self.idle = 0.0
        self.is_static = False
        self.drops_repeats = True
        self._memory = MemoryTransport()
        self.transport: Transport = self._memory
        self._shift = 0

    async def connect(self) -> Transport:
        return self.transport

    async def member(self, name: str = "a") -> Consumer:
        return await self.transport.consumer(GROUP, name)

    async def reader(self, streams: Sequence[str], load: LoadPositions) -> Reader:
        return await self.transport.reader("readers", "a", streams, load)

    async def kill(self, member: Consumer) -> None:
        await self._memory.kill(cast(MemoryConsumer, member))

    async def freeze(self, member: Consumer) -> None:
        await self._memory.kill(cast(MemoryConsumer, member))

    async def thaw(self, member: Consumer) -> None:
        self._memory.group(GROUP).members.append(cast(MemoryConsumer, member))
        await self._memory.rebalance(GROUP)

    async def rebalance(self) -> None:
        self._shift += 1
        await self._memory.rebalance(GROUP, self._shift)

    async def lose_positions(self) -> None:
        self._memory.group(GROUP).commits.clear()

    async def limit_memory(self, limit: int | None) -> None:
        self._memory.max_bytes = limit

    async def go_away(self) -> None: ...

    async def come_back(self) -> None: ...

    async def end(self) -> None: ...


class RedisStreamsBroker:
    def __init__(self, server: ValkeyServer) -> None:
        self.idle = 0.5
        self.is_static = True
        self.drops_repeats = True
        self._server = server
        self._connections: list[RedisTransport] = []
        self._members: dict[RedisConsumer, RedisTransport] = {}
        self.transport: Transport = self._connect()

    def _connect(self) -> RedisTransport:
        self._connections.append(RedisTransport(self._server.url, idle=self.idle))
        return self._connections[-1]

    async def connect(self) -> Transport:
        return self._connect()

    async def member(self, name: str = "a") -> Consumer:
        connection = self._connect()
        consumer = await connection.consumer(GROUP, name)
        self._members[consumer] = connection
        return consumer

    async def reader(self, streams: Sequence[str], load: LoadPositions) -> Reader:
        return await self.transport.reader("readers", "a", streams, load)

    async def kill(self, member: Consumer) -> None:
        await self.freeze(member)
        await self._members.pop(cast(RedisConsumer, member)).close()

    async def freeze(self, member: Consumer) -> None:
        """Only the heartbeat of a member shows that it is alive."""
        heart = cast(RedisConsumer, member)._heartbeat
        assert heart
        heart.cancel()

    async def thaw(self, member: Consumer) -> None:
        await cast(RedisConsumer, member).open()

    async def rebalance(self) -> None: ...

    async def lose_positions(self) -> None:
        for stream in streams_of(GROUP):
            await self._connections[0].client.xgroup_destroy(stream.name, GROUP)

    async def limit_memory(self, limit: int | None) -> None:
        await self._connections[0].client.config_set("maxmemory", limit or 0)

    async def go_away(self) -> None:
        self._server.kill()

    async def come_back(self) -> None:
        self._server.start()

    async def end(self) -> None:
        for member in self._members:
            await self.freeze(member)
        for connection in self._connections:
            await connection.close()
