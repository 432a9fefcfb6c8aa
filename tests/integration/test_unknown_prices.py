"""A budget holds for any answering model: at the price of the requested one, and the reason is shown."""

from typing import Any

import pytest
from eventually import eventually
from integration.api import Api
from integration.test_daily_limits import waiting
from servers import Deployment

from shared.streams import PROJECTOR

TITLES = [f"Paid by the budget {n}" for n in range(100)]
MOST_CALLS = 6  # at a time, of five titles each, by default
NOBODYS = "gemini-9-nobody-knows"


async def paid(api: Api, calls: int) -> dict[str, Any]:
    async def all_are_booked() -> dict[str, Any] | None:
        usage: dict[str, Any] = await api.get("/usage")
        return usage if round(usage["total"]["calls"]) == calls else None

    return await eventually(all_are_booked, within=20)


async def test_an_unknown_model_reaches_the_budget_and_status_and_usage_show_why(
    deployment: Deployment,
) -> None:
    deployment.gemini.answer_as(NOBODYS)
    deployment.gemini.take(0.3)
    for service in ("api", PROJECTOR):
        deployment.add(service)
    deployment.add("topic-worker", TOPICFLOW_DAILY_BUDGET="0.001")
    async with deployment.client() as client:
        api = await Api(deployment, client).ready()
        await api.submit(*TITLES)
        status = await waiting(api, "budget")
        calls = deployment.gemini.calls["calls"]
        assert 1 <= calls <= MOST_CALLS, "what was under way when the first answer was priced"
        assert status["waiting_for"]["message"] == "the daily budget of 0.001 US dollars is spent"
        usage = await paid(api, calls)
        assert deployment.gemini.calls["calls"] == calls
        assert {(day["model"], day["priced_as"]) for day in usage["days"]} == {(NOBODYS, "gemini-3.5-flash-lite")}
        assert usage["total"]["unpriced_calls"] == 0
        assert usage["total"]["cost"] > 0.001
        [problem] = (await client.get("/health")).json()["problems"]
        assert (problem["service"], problem["code"]) == ("topic-worker", "price_unknown")
        assert NOBODYS in problem["text"]
    deployment.gemini.answer_as(None)
    deployment.gemini.take(0)


@pytest.mark.slow
async def test_a_retired_model_is_priced_as_its_successor_and_health_warns(
    deployment: Deployment,
) -> None:
    for service in ("api", PROJECTOR):
        deployment.add(service)
    prices = "gemini-2.5-flash=0/0, gemini-3.5-flash-lite=1000/1000"
    deployment.add(
        "topic-worker", GEMINI_MODEL="gemini-2.5-flash", TOPICFLOW_DAILY_BUDGET="0.001", TOPICFLOW_PRICES=prices
    )
    async with deployment.client() as client:
        api = await Api(deployment, client).ready()
        await api.submit(*TITLES)
        await waiting(api, "budget")
        calls = deployment.gemini.calls["calls"]
        assert 1 <= calls <= MOST_CALLS
        usage = await paid(api, calls)
        assert {(day["model"], day["priced_as"]) for day in usage["days"]} == {("gemini-3.5-flash-lite", None)}
        assert usage["total"]["cost"] > 1
        [problem] = (await client.get("/health")).json()["problems"]
        assert problem["code"] == "model_retired"
        assert "gemini-2.5-flash" in problem["text"]
        assert "2026-12-01" in problem["text"]
