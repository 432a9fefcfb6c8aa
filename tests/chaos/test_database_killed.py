"""Kill -9 of the database during 500 submissions; SQLite is a file and has no process."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from servers import Deployment, Stack
from servers.found import OwnServer, a_postgres, started
from servers.stack import ON_KAFKA

from chaos.checker import Checker
from chaos.test_kills import TITLES, all_done, in_the_middle

pytestmark = [pytest.mark.alone, ON_KAFKA]


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[OwnServer]:
    with started(lambda: a_postgres(tmp_path / "postgres")) as server:
        yield server


@pytest.fixture
def stack(stack: Stack, postgres: OwnServer) -> Stack:
    return replace(stack, database_url=postgres.url)


@pytest.fixture
async def client(running: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    async with running.client() as client:
        yield client


async def test_nothing_is_lost_or_paid_twice_when_the_database_is_killed(
    running: Deployment, client: httpx.AsyncClient, postgres: OwnServer
) -> None:
    await in_the_middle(running, client)
    postgres.kill()
    await eventually(lambda: is_reported(client), within=10)
    postgres.start()
    await all_done(client)
    checker = Checker(running)
    checker.assert_all_completed_once(TITLES)
    assert checker.paid_twice() == []


async def is_reported(client: httpx.AsyncClient) -> bool:
    """Every read and submission is answered with 503; the work continues."""
    answers = [await client.get(path) for path in ("/api/v1/topics", "/api/v1/processing-status", "/ready")]
    refused = await client.post("/api/v1/topics", json={"topics": ["Refused"]})
    return {answer.status_code for answer in (*answers, refused)} == {503}
