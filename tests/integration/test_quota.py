"""A quota that all workers share without a counter: it is used up and not exceeded, with any number of workers and
after any outage."""

import asyncio
from collections import Counter

import pytest
from eventually import eventually
from integration.api import Api
from servers import Deployment

from shared.streams import PROJECTOR

WINDOW, REQUESTS = 10, 60  # seconds, calls
TITLES = [f"Within the quota {n}" for n in range(300)]


@pytest.mark.parametrize(
    "workers", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(4, marks=pytest.mark.slow)]
)
async def test_workers_share_a_quota_use_it_up_and_are_rarely_refused(deployment: Deployment, workers: int) -> None:
    gemini = deployment.gemini
    gemini.limit(REQUESTS, WINDOW)
    gemini.take(0.2)
    for service in ("api", PROJECTOR):
        deployment.add(service)
    for n in range(workers):
        deployment.add("topic-worker", f"worker-{n}", GEMINI_REQUESTS_PER_MINUTE=f"{REQUESTS * 60 / WINDOW:g}")
    async with deployment.client() as client:
        api = await Api(deployment, client).ready()
        await api.until_live(workers)
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


@pytest.mark.slow
async def test_after_a_long_outage_work_resumes_within_the_quota_and_no_try_was_spent(deployment: Deployment) -> None:
    gemini = deployment.gemini
    for service in ("api", PROJECTOR):
        deployment.add(service)
    settings = {
        "GEMINI_REQUESTS_PER_MINUTE": "600",
        "TOPICFLOW_LONGEST_PAUSE_SECONDS": "2",
        "TOPICFLOW_HELD_SECONDS": "3",
    }
    deployment.add("topic-worker", "worker-1", **settings)
    async with deployment.client() as client:
        api = await Api(deployment, client).ready()
        gemini.add_fault("503")
        topics = (await api.submit(*TITLES[:100], batch_size=1))["topics"]
        await asyncio.sleep(10)
        refused = gemini.calls["by_status"]["503"]
        gemini.forget_faults()

        async def completed() -> int:
            return int((await api.get("/topic-status-summary"))["summary"]["completed"])

        await eventually(completed, within=5)
        before = gemini.calls["by_status"]["200"]
        await asyncio.sleep(3)
        assert gemini.calls["by_status"]["200"] - before <= 3 * 10 + 3

        async def all_are() -> bool:
            return await completed() == len(topics)

        await eventually(all_are, within=30)
        ended = await api.ended(*(topic["id"] for topic in topics))
    assert {topic["tries"] for topic in ended} == {0}
    assert gemini.calls["by_status"] == {"200": len(topics), "503": refused}
    assert refused <= 15  # those in flight, then one per pause
