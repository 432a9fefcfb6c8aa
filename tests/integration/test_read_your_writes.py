"""Reads of ids that are not projected yet, under constant submissions."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import pytest
from contract.submissions import submitted
from integration.api import Api, problem
from servers import Deployment

from shared.ids import topic_id
from shared.streams import PROJECTOR

WELL_BELOW_A_SECOND = 0.5


@pytest.fixture
async def api(deployment: Deployment) -> AsyncIterator[Api]:
    """No worker runs."""
    for service in ("api", PROJECTOR):
        deployment.add(service, f"{service}-1")
    async with deployment.client() as client:
        api = Api(deployment, client)
        yield await api.up()


@asynccontextmanager
async def steady_load(api: Api) -> AsyncIterator[None]:
    """Submits without a pause, so that there are always unprojected events."""
    broker = api.deployment.stack.connect()

    async def submit() -> None:
        for n in count():
            await broker.publish([submitted(f"Load {n}")])

    submitting = asyncio.create_task(submit())
    yield
    assert not submitting.done(), submitting.result()
    submitting.cancel()
    await asyncio.wait([submitting])
    await broker.close()


async def test_an_unknown_id_is_404_soon_under_constant_submissions(api: Api) -> None:
    seconds = []
    async with steady_load(api):
        for n in range(15):
            began = time.monotonic()
            problem(await api.ask("GET", f"/topics/{topic_id(f'never submitted {n}')}"), 404)
            seconds.append(time.monotonic() - began)
    assert sorted(seconds)[len(seconds) // 2] < WELL_BELOW_A_SECOND, seconds


async def test_a_submitted_topic_is_never_404_under_load(api: Api) -> None:
    async with steady_load(api):
        for n in range(30):
            [topic] = (await api.submit(f"Read at once {n}"))["topics"]
            assert (await api.get(f"/topics/{topic['id']}"))["title"] == f"Read at once {n}"
