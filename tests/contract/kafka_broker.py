"""Kafka for the contract tests: one server, with separate streams and groups for each test."""

import asyncio
import gc
import warnings
from collections.abc import Sequence
from typing import Any, cast
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import DeleteGroupsRequest
from contract.brokers import GROUP
from eventually import eventually
from servers.kafka import remove_streams

from shared.messaging.broker import Consumer, LoadPositions, Reader, Transport
from shared.messaging.kafka.admin.topic_configs import TopicLayout
from shared.messaging.kafka.connection import Cluster
from shared.messaging.kafka.consumer import KafkaConsumer
from shared.messaging.kafka.transport import KafkaTransport


class KafkaBroker:
    def __init__(self, server: Any) -> None:
        self.idle = 2.0
        self.is_static = False
        self.drops_repeats = False
        self._server = server
        self._cluster = Cluster(server.url.removeprefix("kafka://"), f"{uuid4().hex[:8]}.")
        self._connections: list[KafkaTransport] = []
        self._members: dict[KafkaConsumer, KafkaTransport] = {}
        self._names: dict[KafkaConsumer, str] = {}
        self.transport: Transport = self._connect()

    def _connect(self) -> KafkaTransport:
        transport = KafkaTransport(
            self._cluster, TopicLayout(partitions=4), session_timeout=self.idle, is_static=self.is_static
        )
        self._connections.append(transport)
        return transport

    async def connect(self) -> Transport:
        return self._connect()

    async def member(self, name: str = "a") -> Consumer:
        """Has its partitions when it is returned."""
        connection = self._connect()
        consumer = await connection.consumer(GROUP, name)
        self._members[consumer] = connection
        await eventually(lambda: consumer._assigned.is_set(), within=20)
        return consumer

    async def reader(self, streams: Sequence[str], load: LoadPositions) -> Reader:
        return await self.transport.reader("readers", "a", streams, load)

    async def kill(self, member: Consumer) -> None:
        dead = cast(KafkaConsumer, member)
        dead._client._coordinator._group_instance_id = "dies without a word"
        await dead._member.close()
        if connection := self._members.pop(dead, None):
            await connection.close()

    async def freeze(self, member: Consumer) -> None:
        """It says nothing any more, and hears nothing."""

        async def silent() -> bool:
            return True

        cast(KafkaConsumer, member)._client._coordinator._do_heartbeat = silent

    async def thaw(self, member: Consumer) -> None:
        del cast(KafkaConsumer, member)._client._coordinator._do_heartbeat

    async def rebalance(self) -> None:
        another = await self.member("passes by")
        await another.close()
        await self._members.pop(cast(KafkaConsumer, another)).close()

    async def lose_positions(self) -> None:
        await forget_group(self._cluster, GROUP)

    async def limit_memory(self, limit: int | None) -> None:
        pytest.skip("Kafka keeps its streams on disk")

    async def go_away(self) -> None:
        self._server.kill()

    async def come_back(self) -> None:
        self._server.start()

    async def end(self) -> None:
        for member in list(self._members):
            await self.kill(member)
        for connection in self._connections:
            await connection.close()
        await remove_streams(self._server.url, self._cluster.prefix)
        with warnings.catch_warnings():
            # aiokafka forgets a connection when it is cancelled between opening it and asking for versions
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
            await asyncio.sleep(0)


async def forget_group(cluster: Cluster, group: str) -> None:
    """As Kafka itself forgets one that had no members for a week; whoever is a member must have died or left."""
    admin = AIOKafkaAdminClient(**cluster.options)
    await admin.start()
    name = cluster.name(group)
    coordinator = await admin.find_coordinator(name)

    async def is_forgotten() -> bool:
        answer = await admin._send_request(DeleteGroupsRequest([name]), coordinator)
        return bool(answer.results[0][1] == 0)

    await eventually(is_forgotten, within=20)
    await admin.close()
