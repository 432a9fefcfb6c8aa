"""Two replicas of the API and of the worker, for tests that break nothing."""

import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
from integration.api import Api, started
from servers import Deployment, Stacks, free_port
from servers.stack import BY_DEFAULT

from chaos.race_runner import RaceRunner


@pytest.fixture(scope="session")
def two_of_each(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, int]]:
    """And the second API's port. Kafka's partitions and session timeout are the default's."""
    folder, port = tmp_path_factory.mktemp("races"), free_port()
    with stacks.shared(folder) as stack:
        deployed = started(stack, folder, **BY_DEFAULT, TOPICFLOW_IN_FLIGHT="100")
        deployed.add("api", "api-2", TOPICFLOW_PORT=str(port))
        deployed.add("topic-worker", "topic-worker-2")
        yield deployed, port
        deployed.end()


@pytest.fixture
async def races(two_of_each: tuple[Deployment, int]) -> AsyncIterator[RaceRunner]:
    """Ready, without faults, with a seed that is printed when the test fails; RACES_SEED repeats one."""
    seed = int(os.environ.get("RACES_SEED") or random.randrange(10**9))
    print(f"RACES_SEED={seed}")
    deployed, port = two_of_each
    deployed.gemini.forget_faults()
    deployed.gemini.take(0)
    async with AsyncExitStack() as opened:
        clients = [await opened.enter_async_context(deployed.client(at)) for at in (deployed.api_port, port)]
        replicas = [await Api(deployed, client).ready() for client in clients]
        races = RaceRunner(deployed, replicas, random.Random(seed))
        await races.quiet()
        yield races
