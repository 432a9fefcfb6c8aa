"""Submissions until the broker is full: accepted ones are completed, and then new ones are accepted again."""

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from servers import Deployment, Stack, ValkeyServer
from servers.stack import on_valkey

from chaos.checker import Checker
from shared.streams import PROJECTOR

pytestmark = [pytest.mark.alone, pytest.mark.slow]
A_REQUEST = 100  # titles


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Full after some six thousand submissions; only Valkey keeps its streams in memory."""
    server = ValkeyServer(tmp_path / "valkey", maxmemory="10mb")
    server.start()
    yield on_valkey(server, tmp_path)
    server.end()


@pytest.fixture
async def client(running: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    async with running.client() as client:
        yield client


async def submit(client: httpx.AsyncClient, titles: list[str]) -> httpx.Response:
    return await client.post("/api/v1/topics", json={"topics": titles})


async def submit_until_refused(client: httpx.AsyncClient) -> tuple[list[str], httpx.Response]:
    """The accepted titles, and the answer to the refused request."""
    taken: list[str] = []
    for n in count():
        titles = [f"Topic {n}.{i} of a {'very ' * 90}long title" for i in range(A_REQUEST)]
        answer = await submit(client, titles)
        if not answer.is_success:
            return taken, answer
        assert answer.json()["saved_topics"] == A_REQUEST
        taken += titles
    raise AssertionError


async def outcomes_meet_a_full_broker(running: Deployment) -> None:
    """Without a projector nothing can be trimmed."""
    projector = running.services[f"{PROJECTOR}-1"]
    projector.kill()
    worker = running.services["topic-worker-1"]
    await eventually(lambda: "outcomes_wait_for_broker" in worker.output, within=60)
    projector.start()


async def completed(client: httpx.AsyncClient, number: int) -> bool:
    answer = await client.get("/api/v1/topic-status-summary")
    return bool(answer.json()["summary"]["completed"] == number)


async def test_a_full_broker_refuses_work_completes_what_it_accepted_and_accepts_work_again(
    running: Deployment, client: httpx.AsyncClient
) -> None:
    running.gemini.take(0.2)
    taken, refused = await submit_until_refused(client)
    assert refused.status_code == 503
    assert "memory" in refused.json()["detail"]
    assert "Nothing was stored" in refused.json()["detail"]
    assert int(refused.headers["retry-after"]) > 0
    running.gemini.take(0)
    await outcomes_meet_a_full_broker(running)
    await eventually(lambda: completed(client, len(taken)), within=180, every=0.5)

    async def is_taken_again() -> bool:
        return (await submit(client, ["One more"])).is_success

    await eventually(is_taken_again, within=20)
    await eventually(lambda: completed(client, len(taken) + 1), within=20)
    checker = Checker(running)
    checker.assert_all_completed_once([*taken, "One more"])
    assert checker.paid_twice() == []
