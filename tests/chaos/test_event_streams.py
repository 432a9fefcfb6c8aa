"""Event streams that are cut off at random and go on at any replica, while replicas and projectors are killed."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from integration.api import Api
from servers import Deployment, free_port

from shared.streams import PROJECTOR

pytestmark = pytest.mark.alone
TITLES = [f"Topic number {n}" for n in range(1500)]  # as the listeners name them
TESTS = Path(__file__).parents[1]
FOR_IDS, FOR_ALL = 90, 10
CUT_EVERY = 1.0  # seconds


async def completed(client: httpx.AsyncClient) -> int:
    try:
        answer = await client.get("/api/v1/topic-status-summary")
    except httpx.TransportError:
        return 0
    return int(answer.json()["summary"]["completed"]) if answer.is_success else 0


async def test_every_stream_is_told_the_newest_state_of_all_it_asked_for_and_no_id_twice(running: Deployment) -> None:
    other_port = free_port()
    running.add("api", "api-2", TOPICFLOW_PORT=str(other_port))
    running.gemini.take(0.2)
    sizes = (str(size) for size in (len(TITLES), FOR_IDS, FOR_ALL, CUT_EVERY))
    command = ["-m", "integration.listeners", running.database_url, *sizes, str(running.api_port), str(other_port)]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    listeners = await asyncio.create_subprocess_exec(sys.executable, *command, stdin=PIPE, stdout=PIPE, env=environment)
    assert listeners.stdout
    assert await listeners.stdout.readline() == b"listening\n"
    async with running.client(other_port) as client:
        await Api(running, client).up()

        async def has_reached(number: int) -> bool:
            return await completed(client) >= number

        for at in range(0, len(TITLES), 500):
            assert (await client.post("/api/v1/topics", json={"topics": TITLES[at : at + 500]})).status_code == 202
        await eventually(lambda: has_reached(300), within=60)
        running.services["api-1"].kill()
        await eventually(lambda: has_reached(600), within=60)
        running.services["api-1"].start()
        running.services[f"{PROJECTOR}-1"].kill()
        running.services[f"{PROJECTOR}-1"].start()
        await eventually(lambda: has_reached(len(TITLES)), within=60)
    summary = json.loads((await listeners.communicate(b""))[0])
    assert summary["behind"] == 0
    assert summary["cuts"] > FOR_IDS
    assert summary["events"] > len(TITLES)
