"""Trimming: what the projector removes from the streams of a real broker, and when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from contract.submissions import end, many, take
from contract.workers import remains
from eventually import eventually
from integration.projected import Projected
from servers import ValkeyServer
from structlog.testing import capture_logs

from shared.messaging.redis_streams.transport import RedisTransport
from shared.service.stall_detector import StallDetector
from shared.streams import TOPIC_SUBMISSIONS
from status_projector import projection_loop, trim_streams
from status_projector.settings import ProjectorSettings

TITLES = 200


@pytest.fixture
async def broker(valkey: ValkeyServer) -> AsyncIterator[RedisTransport]:
    """With submissions of which all but one have ended."""
    transport = RedisTransport(valkey.url)
    await transport.provision()
    await transport.publish(many(TITLES))
    member = await transport.consumer("topic-worker", "worker-1")
    *done, _ = await take(member, TITLES)
    await end(member, done)
    yield transport
    await member.close()
    await transport.close()


async def fill_to(share: float, broker: RedisTransport) -> None:
    used = (await broker.client.info("memory"))["used_memory"]
    await broker.client.config_set("maxmemory", int(used / share))


async def submissions(broker: RedisTransport) -> int:
    return int(await broker.client.xlen(TOPIC_SUBMISSIONS.name))


@asynccontextmanager
async def trimming(broker: RedisTransport, projected: Projected) -> AsyncIterator[None]:
    task = asyncio.create_task(
        trim_streams.trim_forever(broker, await projected.projection(), ProjectorSettings.load())
    )
    yield
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def projecting(broker: RedisTransport, projected: Projected) -> AsyncIterator[None]:
    task = asyncio.create_task(
        projection_loop.project_forever(
            broker, await projected.projection(), StallDetector("the projection"), "projector"
        )
    )
    yield
    task.cancel()
    await asyncio.wait([task])


async def test_when_memory_is_low_settled_entries_are_trimmed_at_once_and_logged_once(
    broker: RedisTransport, projected: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim_streams, "LOOK_EVERY", 0.05)
    await fill_to(0.4, broker)
    with capture_logs() as logged:
        async with trimming(broker, projected), projecting(broker, projected):
            await eventually(lambda: projected.rows("SELECT 1 FROM submissions LIMIT 1"), within=10)
            before = await submissions(broker)
            await remains(lambda: not logged, during=0.5)
            await fill_to(0.9, broker)

            async def only_the_last_is_left() -> bool:
                return await submissions(broker) == 1

            await eventually(only_the_last_is_left, within=5)
            await remains(lambda: len(logged) == 1, during=0.3)
    assert before == TITLES
    assert logged[0]["event"] == "broker_memory_low"


async def test_unprojected_entries_are_never_trimmed_even_when_memory_is_low(
    broker: RedisTransport, projected: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim_streams, "LOOK_EVERY", 0.05)
    await fill_to(0.99, broker)
    with capture_logs() as logged:
        async with trimming(broker, projected):
            await eventually(lambda: logged, within=5)
            await remains(lambda: True, during=0.3)
            assert await submissions(broker) == TITLES
