"""Fixtures that every kind of test may use."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from servers import Deployment, GeminiStandIn, ValkeyServer

from shared.streams import PROJECTOR


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A broker of the test's own, running."""
    server = ValkeyServer(tmp_path / "valkey")
    server.start()
    yield server
    server.end()


@pytest.fixture
def deployment(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Deployment]:
    """Broker and Gemini's stand-in run, no service yet."""
    gemini = GeminiStandIn(tmp_path)
    gemini.start()
    deployed = Deployment(tmp_path, valkey, gemini)
    yield deployed
    deployed.end()


@pytest.fixture
async def running(deployment: Deployment) -> Deployment:
    """One replica of each service, ready."""
    for service in ("api", PROJECTOR, "topic-worker"):
        deployment.add(service, f"{service}-1")
    async with deployment.client() as client:

        async def ready() -> bool:
            try:
                return (await client.get("/ready")).is_success and (await client.get("/api/v1/worker-status")).json()[
                    "worker_running"
                ] is True
            except httpx.TransportError:
                return False

        await eventually(ready, within=20)
    return deployment
