"""The ops port of workers and projector: alive, ready because its loop gets on, and nothing where no port is set."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from contract.brokers import MemoryBroker
from contract.submissions import submitted
from contract.workers import Worker, Workers
from eventually import eventually
from integration.observed import Observed
from integration.projected import Projected
from integration.stories import history, in_batches
from servers import Deployment, GeminiStandIn, Process, ValkeyServer, free_port

from shared import metrics, progress
from shared.errors import Unavailable
from shared.ops import Ops
from shared.retry import Policy
from shared.streams import PROJECTOR
from shared.transport.base import Delivery
from status_projector import app
from status_projector.settings import ProjectorSettings
from topic_worker.settings import WorkerSettings

WITH_AN_OPS_PORT = ("topic-worker", PROJECTOR)
Answer = tuple[int, dict[str, str]]


async def ask(port: int, path: str) -> Answer:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}{path}")
    return answer.status_code, answer.json()


async def answers(port: int, path: str, code: int, within: float = 20, reason: str = "") -> None:
    async def does() -> bool:
        try:
            answer = await ask(port, path)
        except httpx.TransportError:
            return False
        return answer[0] == code and reason in answer[1].get("reason", "")

    await eventually(does, within=within)


@pytest.mark.parametrize("service", WITH_AN_OPS_PORT)
async def test_a_service_that_works_is_alive_and_ready(observed: Observed, service: str) -> None:
    port = observed.ports[service]
    assert await ask(port, "/live") == (200, {"status": "ok"})
    assert await ask(port, "/ready") == (200, {"status": "ok"})
    assert (await ask(port, "/other"))[0] == 404


@pytest.fixture
def deployed(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Deployment]:
    """A broker; the stand-in is not asked."""
    made = Deployment(tmp_path, valkey, GeminiStandIn(tmp_path))
    yield made
    made.end()


@pytest.mark.parametrize("service", WITH_AN_OPS_PORT)
async def test_it_is_alive_but_not_ready_while_the_broker_is_away_and_ready_again(
    deployed: Deployment, service: str
) -> None:
    deployed.valkey.kill()
    port = free_port()
    process = deployed.add(service, TOPICFLOW_OPS_PORT=str(port))
    await answers(port, "/live", 200)
    assert await ask(port, "/ready") == (503, {"status": "unavailable", "reason": "starting"})
    deployed.valkey.start()
    await answers(port, "/ready", 200)
    deployed.valkey.signal(signal.SIGSTOP)
    await answers(port, "/ready", 503, reason="no answer within 2 s")
    assert (await ask(port, "/live"))[0] == 200
    deployed.valkey.signal(signal.SIGCONT)
    await answers(port, "/ready", 200)
    assert process.stop() == 0


async def test_sigterm_ends_it_while_it_waits_for_the_broker(deployed: Deployment) -> None:
    """uvicorn, which runs in it, takes the process's signals and must hand them on."""
    deployed.valkey.kill()
    port = free_port()
    process = deployed.add(PROJECTOR, TOPICFLOW_OPS_PORT=str(port))
    await answers(port, "/live", 200)
    process.stop(within=5)


@pytest.mark.parametrize(("module", "service"), [("topic_worker", "topic-worker"), ("status_projector", PROJECTOR)])
async def test_a_busy_port_ends_the_start_with_one_line(tmp_path: Path, module: str, service: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {"TOPICFLOW_OPS_PORT": str(port), "GEMINI_API_KEY": "key"}
        process = Process([sys.executable, "-m", module], tmp_path / "log", settings)
        process.start()
        assert process.running
        assert process.running.wait(20) == 3
    why = f"cannot listen on port {port} of 127.0.0.1: Address already in use (TOPICFLOW_OPS_PORT is another one)"
    assert process.said == f"{service}: {why}\n"


async def test_without_a_port_nothing_listens(deployed: Deployment) -> None:
    projector = deployed.add(PROJECTOR)

    def connections() -> list[str]:
        assert projector.running
        return [connection.status for connection in psutil.Process(projector.running.pid).net_connections("inet")]

    await eventually(lambda: "ESTABLISHED" in connections(), within=20)  # to the broker
    assert "LISTEN" not in connections()


@pytest.mark.parametrize("settings", [WorkerSettings, ProjectorSettings])
def test_what_kubernetes_injects_for_a_service_of_that_name_means_no_port(
    settings: type[WorkerSettings] | type[ProjectorSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "key")
    assert settings.load().ops_port is None
    monkeypatch.setenv("TOPICFLOW_OPS_PORT", "tcp://10.0.0.1:9000")
    assert settings.load().ops_port is None
    monkeypatch.setenv("TOPICFLOW_OPS_PORT", "9000")
    assert (settings.load().ops_port, settings.load().ops_host) == (9000, "127.0.0.1")


# -- inside the test: what takes longer than a test may ----------------------------------------------------------------

SHORT = 0.5  # seconds


@pytest.fixture
async def workers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workers]:
    """On the memory broker, and impatient."""
    monkeypatch.setattr(progress, "STANDS_STILL_AFTER", SHORT)
    broker = MemoryBroker()
    await broker.transport.provision()
    started = Workers(broker)
    yield started
    await started.end()


async def readiness(of: Worker) -> Answer:
    ops = Ops(metrics.WORKER)

    async def gets_on() -> None:
        of.settlement.progress.check()

    ops.checks = [gets_on]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ops), base_url="http://worker") as client:
        answer = await client.get("/ready")
        return answer.status_code, answer.json()


async def stays_ready(worker: Worker) -> None:
    began = time.monotonic()

    async def was_ready_throughout() -> bool:
        assert await readiness(worker) == (200, {"status": "ok"})
        return time.monotonic() - began > 3 * SHORT

    await eventually(was_ready_throughout, within=20)


async def test_a_worker_that_is_full_is_ready(workers: Workers) -> None:
    never = asyncio.Event()
    workers.handler.answer("Takes long", never.wait)
    await workers.broker.transport.publish([submitted("Takes long"), submitted("Next")])
    worker = await workers.start(in_flight=1)
    await eventually(lambda: workers.handler.calls, within=5)
    await stays_ready(worker)


async def test_a_worker_that_waits_for_the_end_of_an_outage_is_ready(workers: Workers) -> None:
    workers.handler.everybody = Unavailable("out")
    await workers.broker.transport.publish([submitted("Waits")])
    worker = await workers.start(policy=Policy(first_pause=60, longest_pause=60))
    await eventually(lambda: worker.settlement.gate.waiting_for, within=5)
    await stays_ready(worker)


async def test_a_worker_whose_loop_stands_still_is_not_ready_and_says_so(
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
    assert (await readiness(worker))[1]["reason"].startswith("the settlement loop has not turned for ")


async def test_a_projector_that_stands_by_is_ready(projected: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "STANDS_STILL_AFTER", SHORT)
    monkeypatch.setattr(app, "STAND_BY", SHORT / 10)
    leader, follower = await projected.projection(), await projected.projection()
    [batch, *_] = in_batches(history(5), 5)
    loop = progress.Progress("the projection loop")
    standing_by = asyncio.create_task(app._stand_by(follower, 0, loop))

    async def leads() -> bool:
        await leader.project(batch)
        return loop._turned_at is not None

    await eventually(leads, within=5)
    give_up = time.monotonic() + 3 * SHORT
    while time.monotonic() < give_up:
        await leader.project(batch)
        loop.check()
    assert not standing_by.done()
    standing_by.cancel()
