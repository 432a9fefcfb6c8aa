"""The broker under test, provisioned. To add an implementation, add its name to the list."""

from collections.abc import AsyncIterator

import pytest
from contract.brokers import Broker, MemoryBroker, RedisStreamsBroker
from contract.kafka_broker import KafkaBroker
from contract.workers import Workers
from servers import ValkeyServer

from shared.messaging.redis_streams.transport import RedisTransport


@pytest.fixture(params=["memory", "redis_streams", "kafka"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    started = _broker(request)
    await started.transport.provision()
    yield started
    await started.end()


def _broker(request: pytest.FixtureRequest) -> Broker:
    breaks = request.node.get_closest_marker("breaks_the_broker") is not None
    match request.param:
        case "redis_streams":
            return RedisStreamsBroker(request.getfixturevalue("valkey"))
        case "kafka" if breaks:
            return KafkaBroker(request.getfixturevalue("own_kafka")())
        case "kafka":
            return KafkaBroker(request.getfixturevalue("kafka_server"))
    if breaks:
        pytest.skip("lives in the test's own process")
    return MemoryBroker()


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
