"""One fixture: the broker under test, provisioned. A third implementation is one more name in its list."""

from collections.abc import AsyncIterator

import pytest
from contract.brokers import Broker, MemoryBroker, RedisStreamsBroker
from contract.workers import Workers
from servers import ValkeyServer

from shared.transport.redis_streams.transport import RedisTransport


@pytest.fixture(params=["memory", "redis_streams"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    is_memory = request.param == "memory"
    started: Broker = MemoryBroker() if is_memory else RedisStreamsBroker(request.getfixturevalue("valkey"))
    await started.transport.provision()
    yield started
    await started.end()


@pytest.fixture
async def redis(broker: Broker, valkey: ValkeyServer) -> AsyncIterator[RedisTransport]:
    """A connection of the test's own, for what only Redis can do."""
    transport = RedisTransport(valkey.url, idle=broker.idle)
    yield transport
    await transport.close()


@pytest.fixture
async def workers(broker: Broker) -> AsyncIterator[Workers]:
    """Workers on that broker, stopped at the end."""
    started = Workers(broker)
    yield started
    await started.end()
