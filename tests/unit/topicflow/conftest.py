"""An API that a test scripts, and a client of it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from servers.scripted_api import ScriptedApi

from topicflow.client import AsyncClient


@pytest.fixture
def scripted() -> Iterator[ScriptedApi]:
    with ScriptedApi() as api:
        yield api


@pytest.fixture
async def client(scripted: ScriptedApi) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(scripted.url, "tf_secret") as client:
        yield client
