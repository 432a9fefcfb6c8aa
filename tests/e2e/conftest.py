"""One `topicflow up` per module; one deployment with two API replicas for the known problems."""

from collections.abc import AsyncIterator, Iterator

import pytest
from e2e.local_mode import LocalMode
from integration.api import Api
from servers import Deployment, GeminiSimulator, Stacks, free_port
from servers.stack import BY_DEFAULT

from shared.streams import PROJECTOR

SESSION_TIMEOUT = 1.5  # seconds; short, so that a call can be longer


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalMode]:
    local_mode = LocalMode(tmp_path_factory.mktemp("local"))
    yield local_mode
    local_mode.end()


@pytest.fixture
async def local_mode(started: LocalMode) -> LocalMode:
    """Ready, with a simulator without faults."""
    await started.ready()
    started.simulator("DELETE", "/faults")
    started.simulator("PUT", "/seconds", {"seconds": 0})
    return started


@pytest.fixture(scope="module")
def deployed(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Its worker has three keys, of which Gemini refuses two. On Kafka with as many partitions as by default."""
    folder = tmp_path_factory.mktemp("known-problems")
    settings = BY_DEFAULT | {"TOPICFLOW_SESSION_TIMEOUT_SECONDS": str(SESSION_TIMEOUT)}
    with stacks.own(folder) as stack:
        stack.broker.start()
        deployed = Deployment(folder, stack, GeminiSimulator(folder), settings)
        deployed.gemini.start()
        deployed.add("api", "api-1")
        deployed.add("api", "api-2", TOPICFLOW_PORT=str(free_port()))
        deployed.add(PROJECTOR, f"{PROJECTOR}-1")
        deployed.add("topic-worker", "topic-worker-1", GEMINI_API_KEY="", GEMINI_API_KEYS="good,refused,refused")
        yield deployed
        deployed.end()


@pytest.fixture
async def api(deployed: Deployment) -> AsyncIterator[Api]:
    """Everything runs, whatever the previous test left; faults and calls of Gemini are reset."""
    if not deployed.stack.broker.is_alive:
        deployed.stack.broker.start()
    for process in (deployed.gemini, *deployed.services.values()):
        if process.is_alive:
            process.thaw()
        else:
            process.start()
    deployed.gemini.take(0)
    deployed.gemini.forget_faults()
    deployed.gemini.forget_calls()
    async with deployed.client() as client:
        yield await Api(deployed, client).ready()


@pytest.fixture
async def other(deployed: Deployment) -> AsyncIterator[Api]:
    """The second replica."""
    async with deployed.client(int(deployed.services["api-2"].environment["TOPICFLOW_PORT"])) as client:
        yield await Api(deployed, client).ready()
