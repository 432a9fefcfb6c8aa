"""Daily limits with running workers: work waits visibly, a restart keeps the sums, a higher limit resumes work."""

from datetime import datetime
from typing import Any

import pytest
from eventually import eventually
from integration.api import Api
from servers import Deployment

from shared.llm.quota_day import end_of_day
from shared.streams import PROJECTOR

TITLES = [f"Within the day {n}" for n in range(60)]
PRICES = "gemini-3.5-flash-lite=1000/1000"  # a dollar for a thousand tokens: some dollars a card
SOON = {"TOPICFLOW_LONGEST_PAUSE_SECONDS": "0.5", "TOPICFLOW_PRICES": PRICES}


async def waiting(api: Api, reason: str) -> dict[str, Any]:
    """`/processing-status`, once work waits for this reason."""

    async def waits() -> dict[str, Any] | None:
        status: dict[str, Any] = await api.get("/processing-status")
        return status if status["waiting_for"] and status["waiting_for"]["reason"] == reason else None

    return await eventually(waits, within=20)


async def all_completed(api: Api, count: int) -> None:
    async def completed() -> bool:
        return int((await api.get("/topic-status-summary"))["summary"]["completed"]) == count

    await eventually(completed, within=30)


@pytest.mark.parametrize(
    ("limit", "of", "more", "reason"),
    [
        pytest.param("GEMINI_REQUESTS_PER_DAY", 20, "1000", "daily_quota", marks=pytest.mark.slow),
        pytest.param("GEMINI_TOKENS_PER_DAY", 5000, "1e9", "daily_quota", marks=pytest.mark.slow),
        ("TOPICFLOW_DAILY_BUDGET", 30, "1e9", "budget"),
    ],
)
async def test_a_daily_limit_holds_across_a_restart(
    deployment: Deployment, limit: str, of: float, more: str, reason: str
) -> None:
    for service in ("api", PROJECTOR):
        deployment.add(service)
    one_by_one = {**SOON, "TOPICFLOW_IN_FLIGHT": "1"}
    worker = deployment.add("topic-worker", **one_by_one, **{limit: f"{of:g}"})
    async with deployment.client() as client:
        api = await Api(deployment, client).ready()
        topics = (await api.submit(*TITLES, batch_size=1))["topics"]
        status = await waiting(api, reason)
        assert datetime.fromisoformat(status["waiting_for"]["until"]) == end_of_day()
        assert status["failed_count"] == 0
        counted = {"GEMINI_REQUESTS_PER_DAY": "calls", "GEMINI_TOKENS_PER_DAY": "tokens_in"}.get(limit, "cost")

        async def reached() -> dict[str, Any] | None:
            total = dict((await api.get("/usage"))["total"])
            return total if total[counted] >= of else None

        used = await eventually(reached, within=20)  # the last call might not be projected yet
        assert used[counted] < of + used[counted] / used["calls"] * 1.5, "it ends with the call that reaches the limit"

        worker.kill()
        deployment.add("topic-worker", "restarted", **one_by_one, **{limit: f"{of:g}"})
        await waiting(api, reason)
        assert (await api.get("/usage"))["total"] == used
        deployment.services["restarted"].end()

        deployment.add("topic-worker", "allowed-more", **SOON, **{limit: more})
        await all_completed(api, len(TITLES))
        assert {topic["tries"] for topic in await api.ended(*(topic["id"] for topic in topics))} == {0}
    assert deployment.gemini.calls["by_status"] == {"200": len(TITLES)}


@pytest.mark.slow
async def test_several_workers_share_one_daily_limit_while_the_projector_is_down(deployment: Deployment) -> None:
    deployment.add("api")
    projector = deployment.add(PROJECTOR)
    settings = {**SOON, "GEMINI_REQUESTS_PER_DAY": "20", "TOPICFLOW_IN_FLIGHT": "2"}
    for n in range(2):
        deployment.add("topic-worker", f"worker-{n}", **settings)
    async with deployment.client() as client:
        api = await Api(deployment, client).ready()
        await api.until_live(2, within=20)
        projector.kill()
        await api.submit(*TITLES, batch_size=1)
        await waiting(api, "daily_quota")
        projector.start()

        async def all_wait() -> bool:
            status = await api.get("/processing-status")
            waits = status["waiting_for"] and status["waiting_for"]["reason"] == "daily_quota"
            return bool(waits and status["completed_count"] == deployment.gemini.calls["by_status"]["200"])

        await eventually(all_wait, within=20)
    assert 16 <= deployment.gemini.calls["by_status"]["200"] <= 24
