"""Kafka and PostgreSQL are down when services start, and both go down again during work."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from integration.test_ops_port import answers
from servers import Deployment, free_port
from servers.found import OwnServer
from servers.stack import ON_KAFKA

from chaos.checker import Checker
from chaos.test_kills import TITLES, all_done, in_the_middle
from shared.streams import PROJECTOR

pytestmark = [pytest.mark.alone, pytest.mark.breaks_the_broker, ON_KAFKA, pytest.mark.slow]
AWAY = float(os.environ.get("TOPICFLOW_TEST_AWAY_SECONDS", "8"))
LINES = 3  # at most, of one service about one outage


@pytest.fixture
async def client(deployment: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    async with deployment.client() as client:
        yield client


@pytest.mark.timeout(300 + 4 * AWAY)
async def test_services_wait_log_it_refuse_requests_resume_by_themselves_and_lose_nothing(
    deployment: Deployment, own_postgres: OwnServer, client: httpx.AsyncClient
) -> None:
    servers = (deployment.stack.broker, own_postgres)
    deployment.stack = replace(deployment.stack, database_url=own_postgres.url)
    for server in servers:
        server.kill()
    ports = {"topic-worker": free_port(), PROJECTOR: free_port()}
    for service, port in ports.items():
        deployment.add(service, f"{service}-1", TOPICFLOW_OPS_PORT=str(port))
    deployment.add("api", "api-1")
    everyone = (deployment.api_port, *ports.values())
    await _all_answer(everyone, 503)
    await asyncio.sleep(AWAY)
    for process in deployment.services.values():
        lines = [line for line in process.output.splitlines() if "waiting" in line]
        assert 1 <= len(lines) <= LINES, process.output
    for server in servers:
        server.start()
    await _all_answer(everyone, 200)

    await in_the_middle(deployment, client)
    for server in servers:
        server.kill()
    await _all_answer(everyone, 503)
    refused = await client.post("/api/v1/topics", json={"topics": ["Refused"]})
    assert refused.status_code == 503
    assert "Retry-After" in refused.headers
    await asyncio.sleep(AWAY)
    for server in servers:
        server.start()
    await all_done(client)
    await _all_answer(everyone, 200)
    checker = Checker(deployment)
    checker.assert_all_completed_once(TITLES)
    assert checker.paid_twice() == []


async def _all_answer(ports: tuple[int, ...], code: int) -> None:
    """All are alive, and /ready answers with this code."""
    for port in ports:
        await answers(port, "/live", 200, within=30)
        await answers(port, "/ready", code, within=60)
