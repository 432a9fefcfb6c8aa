"""One running deployment for all tests that do not break it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import datetime

import pytest
from eventually import eventually
from factories import BEGAN
from google import genai
from integration.api import Api, started
from integration.keyed import Keyed
from integration.observed import Observed
from integration.projected import Projected
from integration.sample_topics import LAST, sample_records
from integration.simulator import connected
from servers import CatalogSimulator, Deployment, GeminiSimulator, Stack, Stacks

from shared.messaging.cloudevents import Record
from shared.streams import PROJECTOR


@pytest.fixture(scope="session")
def everything(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("everything")
    with stacks.shared(folder) as stack:
        deployed = started(stack, folder)
        yield deployed
        deployed.end()


@pytest.fixture
async def api(everything: Deployment) -> AsyncIterator[Api]:
    """Ready, with a simulator without faults."""
    everything.gemini.forget_faults()
    async with everything.client() as client:
        api = Api(everything, client)
        await api.ready()
        yield api


@pytest.fixture
async def beyond(keyed: Keyed) -> AsyncIterator[Api]:
    """The API that needs keys, of the module's `keyed`, called from another host."""
    async with keyed.called_from_elsewhere() as api:
        yield api


@pytest.fixture
async def local(keyed: Keyed) -> AsyncIterator[Api]:
    """The replica of the module's `keyed` on loopback, which needs no key."""
    async with keyed.called_locally() as api:
        yield api


@pytest.fixture(scope="session")
def everything_observed(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("observed")
    with stacks.shared(folder) as stack:
        observed = Observed(stack, folder)
        yield observed
        observed.end()


@pytest.fixture
async def observed(everything_observed: Observed) -> AsyncIterator[Observed]:
    """Ready, with a simulator without faults."""
    everything_observed.deployment.gemini.forget_faults()
    async with everything_observed.deployment.client() as client:
        everything_observed.api = await Api(everything_observed.deployment, client).ready()
        yield everything_observed


@pytest.fixture(scope="session")
def gemini_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GeminiSimulator]:
    server = GeminiSimulator(tmp_path_factory.mktemp("gemini"))
    server.start()
    yield server
    server.stop()
    server.end()
    assert server.output.splitlines() == [f"simulator for Gemini at {server.url} (simulated answers)"]


@pytest.fixture
def simulator(gemini_server: GeminiSimulator) -> GeminiSimulator:
    """Without faults, limits and recorded calls."""
    gemini_server.take(0)
    gemini_server.lift_limit()
    gemini_server.answer_as(None)
    gemini_server.forget_faults()
    gemini_server.forget_calls()
    return gemini_server


@pytest.fixture(scope="session")
def catalog_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CatalogSimulator]:
    server = CatalogSimulator(tmp_path_factory.mktemp("catalog"))
    server.start()
    yield server
    server.end()


@pytest.fixture
def catalog_simulator(catalog_server: CatalogSimulator) -> CatalogSimulator:
    """Without faults, writes and recorded calls."""
    catalog_server.fresh()
    return catalog_server


@pytest.fixture
async def gemini(simulator: GeminiSimulator) -> AsyncIterator[genai.Client]:
    async with connected(simulator.url) as client:
        yield client


@pytest.fixture
async def impatient(simulator: GeminiSimulator) -> AsyncIterator[genai.Client]:
    async with connected(simulator.url, seconds=0.3) as client:
        yield client


@pytest.fixture
async def new(new_database: Callable[[], str]) -> AsyncIterator[Callable[[], Awaitable[Projected]]]:
    made: list[Projected] = []

    async def new() -> Projected:
        made.append(Projected(new_database()))
        return await made[-1].open()

    yield new
    for projected in made:
        await projected.close()


@pytest.fixture
async def projected(new: Callable[[], Awaitable[Projected]]) -> Projected:
    return await new()


@pytest.fixture(scope="session")
def known(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The sample topics are projected; no topic-worker runs."""
    folder = tmp_path_factory.mktemp("reads")
    with stacks.shared(folder) as stack:
        deployed = Deployment(folder, stack, GeminiSimulator(folder))
        deployed.add("api", "api-1")
        deployed.add(PROJECTOR, "projector-1")
        asyncio.run(_publish(stack, sample_records()))
        yield deployed
        deployed.end()


async def _publish(stack: Stack, records: Sequence[Record]) -> None:
    transport = stack.connect()
    await transport.provision()
    await transport.publish(records)
    await transport.close()


@pytest.fixture
async def reads(known: Deployment) -> AsyncIterator[Api]:
    async with known.client() as client:
        api = Api(known, client)
        await api.answers()

        async def projected() -> bool:
            answer = await api.ask("GET", "/topics")
            if not answer.is_success:
                return False
            age = answer.json()
            return datetime.fromisoformat(age["as_of"] or str(BEGAN)) == LAST and age["projection_lag_seconds"] == 0

        await eventually(projected, within=20)
        yield api
