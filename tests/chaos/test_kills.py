"""Kill -9 of each part in the middle of 500 submissions: nothing is lost, nothing is counted twice."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from eventually import eventually
from servers import Deployment, Process
from servers.stack import VALKEY

from chaos.checker import Checker
from shared.streams import PROJECTOR

pytestmark = pytest.mark.alone
IN_FLIGHT = 30
SLOW_CALL = 1.5  # seconds
TITLES = [f"Chaos topic number {n}" for n in range(500)]


@pytest.fixture
async def client(running: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    async with running.client() as client:
        yield client


async def done(client: httpx.AsyncClient, at_least: int) -> bool:
    try:
        answer = await client.get("/api/v1/topic-status-summary")
    except httpx.TransportError:
        return False
    return answer.is_success and answer.json()["summary"]["completed"] >= at_least


async def submit(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/topics", json={"topics": TITLES})
    assert answer.status_code == 202
    assert answer.json()["saved_topics"] == len(TITLES)


async def in_the_middle(running: Deployment, client: httpx.AsyncClient, a_call_takes: float = 0.2) -> None:
    """Submits 500 topics and waits until some are completed. `a_call_takes`: seconds."""
    running.gemini.take(a_call_takes)
    await submit(client)
    await eventually(lambda: done(client, 100), within=30)
    assert not await done(client, 450)


async def all_done(client: httpx.AsyncClient) -> None:
    await eventually(lambda: done(client, len(TITLES)), within=60)


async def test_submissions_of_a_killed_worker_are_completed_by_another_within_5_seconds(
    running: Deployment, client: httpx.AsyncClient
) -> None:
    running.add("topic-worker", "topic-worker-2")
    await eventually(lambda: workers(client, 2), within=15)
    await in_the_middle(running, client, a_call_takes=SLOW_CALL)
    await eventually(lambda: has_just_begun(running, "topic-worker-1"), within=10, every=0)
    running.services["topic-worker-1"].kill()
    died_at = datetime.now(UTC)
    running.gemini.take(0.2)
    await eventually(lambda: workers(client, 1), within=5)
    await all_done(client)
    checker = Checker(running)
    checker.assert_all_completed_once(TITLES)
    assert len(checker.paid_twice()) <= IN_FLIGHT
    assert checker.seconds_until_first_redelivered_result("topic-worker-1", died_at) <= 5


def has_just_begun(running: Deployment, worker: str) -> bool:
    """Whether it has work that takes at least half a call more."""
    return Checker(running).has_begun(worker, datetime.now(UTC) - timedelta(seconds=SLOW_CALL / 2))


async def test_a_worker_restarted_under_its_name_resumes_at_once(
    running: Deployment, client: httpx.AsyncClient
) -> None:
    await in_the_middle(running, client)
    await killed_and_back(running.services["topic-worker-1"])
    await all_done(client)
    checker = Checker(running)
    checker.assert_all_completed_once(TITLES)
    assert len(checker.paid_twice()) <= IN_FLIGHT


@pytest.mark.parametrize("victim", [f"{PROJECTOR}-1", "api-1"])
async def test_nothing_is_lost_or_paid_twice_when_a_projector_or_api_is_killed(
    running: Deployment, client: httpx.AsyncClient, victim: str
) -> None:
    await in_the_middle(running, client)
    await killed_and_back(running.services[victim])
    await all_done(client)
    checker = Checker(running)
    checker.assert_all_completed_once(TITLES)
    assert checker.paid_twice() == []


@pytest.mark.breaks_the_broker
async def test_nothing_is_lost_when_the_broker_is_killed(running: Deployment, client: httpx.AsyncClient) -> None:
    await in_the_middle(running, client)
    running.stack.broker.kill()
    running.stack.broker.start()
    await all_done(client)
    checker = Checker(running)
    checker.assert_all_completed_once(TITLES)
    assert checker.paid_twice() == []


@pytest.mark.slow
async def test_a_call_that_takes_many_session_timeouts_runs_once(
    running: Deployment, client: httpx.AsyncClient
) -> None:
    seconds = 80 if running.stack.name == VALKEY else 20  # of 2 s each on Kafka: enough
    running.add("topic-worker", "topic-worker-2")
    await eventually(lambda: workers(client, 2), within=15)
    running.gemini.take(seconds)
    await client.post("/api/v1/topics", json={"topics": ["A slow topic"]})
    await eventually(lambda: done(client, 1), within=seconds + 20, every=1)
    assert running.gemini.calls["titles"] == {"A slow topic": 1}
    assert running.gemini.calls["calls"] == 1


async def workers(client: httpx.AsyncClient, number: int) -> bool:
    answer = (await client.get("/api/v1/worker-status")).json()
    return len(answer["workers"]) == number and answer["worker_running"] is (number > 0)


async def killed_and_back(service: Process) -> None:
    service.kill()
    service.start()
