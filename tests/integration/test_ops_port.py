"""The ops port of workers and projector: liveness, readiness by the progress of the loop, no port by default."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from eventually import eventually
from integration.observed import Observed
from servers import Deployment, GeminiSimulator, Process, Stack, free_port

from shared.streams import PROJECTOR
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
async def test_a_working_service_is_alive_and_ready(observed: Observed, service: str) -> None:
    port = observed.ports[service]
    assert await ask(port, "/live") == (200, {"status": "ok"})
    assert await ask(port, "/ready") == (200, {"status": "ok"})
    assert (await ask(port, "/other"))[0] == 404


@pytest.fixture
def deployed(tmp_path: Path, stack: Stack) -> Iterator[Deployment]:
    """A broker; the simulator does not run."""
    made = Deployment(tmp_path, stack, GeminiSimulator(tmp_path))
    yield made
    made.end()


@pytest.mark.breaks_the_broker
@pytest.mark.parametrize("service", WITH_AN_OPS_PORT)
async def test_a_service_is_alive_but_not_ready_while_the_broker_is_down_and_ready_again(
    deployed: Deployment, service: str
) -> None:
    deployed.stack.broker.kill()
    port = free_port()
    process = deployed.add(service, TOPICFLOW_OPS_PORT=str(port))
    await answers(port, "/live", 200)
    assert await ask(port, "/ready") == (503, {"status": "unavailable", "reason": "starting"})
    deployed.stack.broker.start()
    await answers(port, "/ready", 200)
    deployed.stack.broker.freeze()
    await answers(port, "/ready", 503, reason="no answer within 2 s")
    assert (await ask(port, "/live"))[0] == 200
    deployed.stack.broker.thaw()
    await answers(port, "/ready", 200)
    assert process.stop() == 0


@pytest.mark.breaks_the_broker
async def test_sigterm_stops_a_projector_that_waits_for_the_broker(deployed: Deployment) -> None:
    """uvicorn handles the signals of the process and must pass them on."""
    deployed.stack.broker.kill()
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
    why = f"cannot listen on port {port} of 127.0.0.1: Address already in use (set TOPICFLOW_OPS_PORT to another port)"
    assert process.output == f"{service}: {why}\n"


async def test_without_a_port_nothing_listens(deployed: Deployment) -> None:
    projector = deployed.add(PROJECTOR)

    def connections() -> list[str]:
        assert projector.running
        return [connection.status for connection in psutil.Process(projector.running.pid).net_connections("inet")]

    await eventually(lambda: "ESTABLISHED" in connections(), within=20)  # to the broker
    assert "LISTEN" not in connections()


@pytest.mark.parametrize("settings", [WorkerSettings, ProjectorSettings])
def test_a_service_variable_of_kubernetes_means_no_ops_port(
    settings: type[WorkerSettings] | type[ProjectorSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "key")
    assert settings.load().ops_port is None
    monkeypatch.setenv("TOPICFLOW_OPS_PORT", "tcp://10.0.0.1:9000")
    assert settings.load().ops_port is None
    monkeypatch.setenv("TOPICFLOW_OPS_PORT", "9000")
    assert (settings.load().ops_port, settings.load().ops_host) == (9000, "127.0.0.1")
