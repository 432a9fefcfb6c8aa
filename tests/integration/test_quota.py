"""A quota that all workers share, without a counter: it is used up and not exceeded, however many there are."""

import asyncio
from collections import Counter

import pytest
from eventually import eventually
from integration.api import Api
from servers import Deployment

from shared.streams import PROJECTOR

WINDOW, REQUESTS = 10, 60  # seconds, calls
TITLES = [f"Within the quota {n}" for n in range(300)]


@pytest.mark.parametrize("workers", [1, 2, 4])
async def test_workers_share_a_quota_use_it_and_are_hardly_ever_refused(deployment: Deployment, workers: int) -> None:
    gemini = deployment.gemini
    gemini.limit(REQUESTS, WINDOW)
    gemini.take(0.2)
    for service in ("api", PROJECTOR):
        deployment.add(service)
    for n in range(workers):
        deployment.add("topic-worker", f"worker-{n}", GEMINI_REQUESTS_PER_MINUTE=f"{REQUESTS * 60 / WINDOW:g}")
    async with deployment.client() as client:
        api = await Api(deployment, client).ready()

        async def all_live() -> bool:
            return len((await api.get("/worker-status"))["workers"]) == workers

        await eventually(all_live, within=30)
        await api.submit(*TITLES, batch_size=1)
        await asyncio.sleep(5)  # until all know their shares
        before = gemini.calls
        await asyncio.sleep(WINDOW)
        after = gemini.calls
    answered = after["by_status"].get("200", 0) - before["by_status"].get("200", 0)
    refused = after["by_status"].get("429", 0)
    print(f"{workers} workers: {answered} of {REQUESTS} answered in {WINDOW} s, {refused} refused in all")
    assert 0.9 * REQUESTS <= answered <= 1.05 * REQUESTS
    assert refused <= 0.02 * Counter(after["by_status"]).total() + 1
