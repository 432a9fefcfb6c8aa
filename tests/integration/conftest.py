"""One running deployment for all tests that do not break it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from integration.api import Api, started
from servers import Deployment


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    deployed = started(tmp_path_factory.mktemp("everything"))
    yield deployed
    deployed.end()


@pytest.fixture
async def api(everything: Deployment) -> AsyncIterator[Api]:
    """Ready, with a stand-in in no mood."""
    everything.gemini.forget_moods()
    async with everything.client() as client:
        api = Api(everything, client)
        await api.ready()
        yield api
