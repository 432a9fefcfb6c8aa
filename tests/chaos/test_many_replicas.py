"""Kafka and PostgreSQL with many replicas that die, freeze and join at random times."""

import asyncio
import os
import random
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import httpx
import pytest
from eventually import eventually
from servers import Deployment
from servers.found import OwnServer
from servers.stack import ON_KAFKA

from chaos.checker import Checker
from chaos.storm import SERVICES, WORKER, Storm
from shared.streams import PROJECTOR

pytestmark = [pytest.mark.alone, pytest.mark.breaks_the_broker, ON_KAFKA, pytest.mark.slow]
IN_FLIGHT = 30
SESSION = 6.0  # seconds
SETTINGS = {
    "TOPICFLOW_PARTITIONS": "12",
    "TOPICFLOW_SESSION_TIMEOUT_SECONDS": f"{SESSION:g}",
    "TOPICFLOW_REQUESTS_PER_SECOND": "100000",
}


@pytest.fixture
def deployed(deployment: Deployment, own_postgres: OwnServer) -> Deployment:
    """With a PostgreSQL of its own, too."""
    deployment.stack = replace(deployment.stack, database_url=own_postgres.url)
    deployment.settings |= SETTINGS
    return deployment


async def ready(deployment: Deployment, client: httpx.AsyncClient) -> None:
    async def is_ready() -> bool:
        try:
            return (await client.get("/ready")).is_success
        except httpx.TransportError:
            return False

    await eventually(is_ready, within=60)


async def submit(client: httpx.AsyncClient, titles: list[str]) -> None:
    """Repeats each request until it is accepted."""
    for at in range(0, len(titles), 500):

        async def is_saved(some: list[str] = titles[at : at + 500]) -> bool:
            try:
                return (await client.post("/api/v1/topics", json={"topics": some})).status_code == 202
            except httpx.TransportError:
                return False

        await eventually(is_saved, within=60)


async def completed(client: httpx.AsyncClient) -> int:
    try:
        answer = await client.get("/api/v1/topic-status-summary")
    except httpx.TransportError:
        return -1
    return int(answer.json()["summary"]["completed"]) if answer.is_success else -1


@pytest.mark.timeout(600)
async def test_3000_topics_are_completed_and_counted_once_despite_faults_of_replicas_broker_and_database(
    deployed: Deployment, own_postgres: OwnServer
) -> None:
    titles = [f"Topic of the storm number {n}" for n in range(3000)]
    seed = int(os.environ.get("STORM_SEED") or random.randrange(10**9))
    print(f"STORM_SEED={seed}")
    storm = Storm(deployed, deployed.stack.broker, own_postgres, random.Random(seed))
    deployed.add("api", "api-1")
    for service in SERVICES:
        storm.add(service)
    deployed.gemini.take(2.0)
    async with deployed.client() as client:
        await ready(deployed, client)
        storming = asyncio.create_task(storm.run(60, faults=14))
        await submit(client, titles)
        await storming

        async def all_done() -> bool:
            return await completed(client) == len(titles)

        await eventually(all_done, within=180, every=0.5)
        checker = Checker(deployed)
        checker.assert_all_completed_once(titles)

        async def nothing_waits() -> bool:
            health = (await client.get("/health")).json()
            return bool(health["lag"]["topic-worker"]["waiting"] + health["lag"]["topic-worker"]["in_flight"] == 0)

        await eventually(nothing_waits, within=30)
    twice = len(checker.paid_twice())
    print(f"paid twice: {twice} of {len(titles)}; faults: {dict(storm.counts)}")
    assert twice <= IN_FLIGHT * storm.most_paid_twice


async def test_a_worker_restarted_under_its_name_works_again_at_once(deployed: Deployment) -> None:
    """Without waiting for its session to end."""
    deployed.add("api", "api-1")
    deployed.add(PROJECTOR)
    worker = deployed.add(WORKER, "worker-1")
    deployed.add(WORKER, "worker-2")
    deployed.gemini.take(0.5)
    async with deployed.client() as client:
        await ready(deployed, client)
        await submit(client, [f"Before {n}" for n in range(500)])
        await both_have_begun(deployed)
        worker.kill()
        restarted_at = datetime.now(UTC)
        began = time.monotonic()
        worker.start()
        await eventually(partial(Checker(deployed).has_begun, "worker-1", restarted_at), within=SESSION - 1, every=0.05)
        print(f"worked again {time.monotonic() - began:.1f} s after its start")


async def test_work_of_a_dead_worker_is_taken_over_within_the_session_timeout_plus_2_seconds(
    deployed: Deployment,
) -> None:
    deployed.add("api", "api-1")
    deployed.add(PROJECTOR)
    deployed.add(WORKER, "worker-1")
    deployed.add(WORKER, "worker-2")
    deployed.gemini.take(1.0)
    async with deployed.client() as client:
        await ready(deployed, client)
        titles = [f"Before {n}" for n in range(400)]
        await submit(client, titles)
        await both_have_begun(deployed)
        deployed.services["worker-1"].kill()
        died_at = datetime.now(UTC)
        checker = Checker(deployed)

        async def all_done() -> bool:
            return await completed(client) == len(titles)

        await eventually(all_done, within=90, every=0.5)
        checker.assert_all_completed_once(titles)
        took = checker.seconds_until_first_redelivered_result("worker-1", died_at)
        print(f"first result of what the dead one had: {took:.1f} s after its death")
        assert took <= SESSION + 2 + 1.0  # what its call takes


async def both_have_begun(deployed: Deployment) -> None:
    """Waits until the group no longer rebalances: until then, Kafka waits for all known members, dead or not."""
    for worker in ("worker-1", "worker-2"):
        await eventually(partial(Checker(deployed).has_begun, worker), within=60)
