"""Readiness by the progress of the loop: full, waiting and on stand-by are ready, stalled is not."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from contract.brokers import MemoryBroker
from contract.submissions import submitted
from contract.workers import Worker, Workers
from eventually import eventually
from integration.event_history import history, in_batches
from integration.projected import Projected

from shared.errors import Unavailable
from shared.messaging.broker import Delivery
from shared.observability import metrics
from shared.resilience.backoff import RetryPolicy
from shared.service import stall_detector
from shared.service.ops_server import Ops
from status_projector import projection_loop

Answer = tuple[int, dict[str, str]]
SHORT = 1.0  # seconds


@pytest.fixture
async def workers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workers]:
    """On the memory broker, with a short stall limit."""
    monkeypatch.setattr(stall_detector, "STALLED_AFTER", SHORT)
    broker = MemoryBroker()
    await broker.transport.provision()
    started = Workers(broker)
    yield started
    await started.end()


async def readiness(of: Worker) -> Answer:
    ops = Ops(metrics.WORKER)

    async def is_progressing() -> None:
        of.loop.stall_detector.check()

    ops.checks = [is_progressing]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ops), base_url="http://worker") as client:
        answer = await client.get("/ready")
        return answer.status_code, answer.json()


async def stays_ready(worker: Worker) -> None:
    began = time.monotonic()

    async def was_ready_throughout() -> bool:
        assert await readiness(worker) == (200, {"status": "ok"})
        return time.monotonic() - began > 2 * SHORT

    await eventually(was_ready_throughout, within=20)


async def test_a_worker_at_its_limit_is_ready(workers: Workers) -> None:
    never = asyncio.Event()
    workers.handler.answer("Takes long", never.wait)
    await workers.broker.transport.publish([submitted("Takes long"), submitted("Next")])
    worker = await workers.start(concurrency=1)
    await eventually(lambda: workers.handler.calls, within=5)
    await stays_ready(worker)


async def test_a_worker_that_waits_for_the_end_of_an_outage_is_ready(workers: Workers) -> None:
    workers.handler.default_error = Unavailable("out")
    await workers.broker.transport.publish([submitted("Waits")])
    worker = await workers.start(policy=RetryPolicy(first_pause=60, longest_pause=60))
    await eventually(lambda: worker.loop.gate.waiting_for, within=5)
    await stays_ready(worker)


async def test_a_worker_whose_loop_stalls_is_not_ready_and_reports_it(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await workers.start()

    async def code() -> int:
        return (await readiness(worker))[0]

    async def never(*_: object) -> list[Delivery]:
        await asyncio.Event().wait()
        return []

    async def is_ready() -> bool:
        return await code() == 200

    async def is_not_ready() -> bool:
        return await code() == 503

    await eventually(is_ready, within=5)
    monkeypatch.setattr(worker.consumer, "fetch", never)
    await eventually(is_not_ready, within=5)
    assert (await readiness(worker))[1]["reason"].startswith("the consumer loop has made no progress for ")


async def test_a_projector_on_stand_by_is_ready(projected: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall_detector, "STALLED_AFTER", SHORT)
    monkeypatch.setattr(projection_loop, "STAND_BY", SHORT / 10)
    leader, follower = await projected.projection(), await projected.projection()
    [batch, *_] = in_batches(history(5), 5)
    loop = stall_detector.StallDetector("the projection loop")

    async def follows() -> None:
        while True:  # on a busy machine the leader may seem to rest
            await projection_loop._stand_by(follower, [0], loop.tick)

    standing_by = asyncio.create_task(follows())

    async def leads() -> bool:
        await leader.project(batch)
        return loop._ticked_at is not None

    await eventually(leads, within=5)
    give_up = time.monotonic() + 2 * SHORT
    while time.monotonic() < give_up:
        await leader.project(batch)
        loop.check()
    assert not standing_by.done()
    standing_by.cancel()
