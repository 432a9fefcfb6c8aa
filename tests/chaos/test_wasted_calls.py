"""Workers that die or freeze around a paid answer: which calls are repeated, and how the ledger counts them."""

from collections.abc import AsyncIterator

import pytest
from eventually import eventually
from integration.api import Api, Json
from integration.databases import rows
from servers import Deployment
from servers.process import Process

from chaos.checker import Checker

TITLE = "Paid twice"
TAKES_OVER_WITHIN = 30  # seconds, on a machine that many share


@pytest.fixture
def deployment(deployment: Deployment) -> Deployment:
    """Workers log when they have read an answer."""
    deployment.settings["TOPICFLOW_LOG_LEVEL"] = "debug"
    return deployment


@pytest.fixture
async def api(running: Deployment) -> AsyncIterator[Api]:
    async with running.client() as client:
        yield Api(running, client)


async def under_way(api: Api) -> Process:
    """Submits the topic and waits until the first worker calls Gemini. Only this call takes two seconds."""
    gemini = api.deployment.gemini
    gemini.add_fault("slow", seconds=2, times=1)
    await api.submit(TITLE)
    await eventually(lambda: gemini.calls["in_flight"] == 1, within=10)
    return api.deployment.services["topic-worker-1"]


async def answered(api: Api, times: int) -> None:
    """Waits until Gemini has answered this often."""
    gemini = api.deployment.gemini
    await eventually(lambda: gemini.calls["by_status"] == {"200": times}, within=TAKES_OVER_WITHIN)


async def completed(api: Api, times: int = 1) -> None:
    """Waits for this number of SubmissionCompleted events."""
    query = "SELECT count(*) FROM history WHERE event = 'SubmissionCompleted'"
    await eventually(lambda: rows(api.deployment.database_url, query) == [(times,)], within=TAKES_OVER_WITHIN)


async def assert_paid(api: Api, *, calls: int, repeated: int) -> None:
    """Checks the ledger. Gemini answered twice; there is one card, and counts equal the rows."""
    assert api.deployment.gemini.calls["titles"] == {TITLE: 2}
    assert api.deployment.gemini.calls["latest"] == [[TITLE]] * 2
    Checker(api.deployment).assert_all_completed_once([TITLE])
    usage = await api.get("/usage")
    [day] = usage["days"]
    assert (usage["total"]["calls"], usage["wasted"]["calls"]) == (calls, repeated)
    assert {reason: amounts["calls"] for reason, amounts in day["wasted"].items()} == (
        {"repeated": repeated} if repeated else {}
    )
    assert usage["total"]["tokens_out"] * repeated == usage["wasted"]["tokens_out"] * calls


async def test_a_worker_killed_before_it_reads_its_answer_causes_one_more_call(api: Api) -> None:
    worker = await under_way(api)
    worker.freeze()
    await answered(api, 1)
    worker.kill()
    api.deployment.add("topic-worker", "topic-worker-2")
    await completed(api)
    await assert_paid(api, calls=1, repeated=0)


@pytest.mark.slow
@pytest.mark.breaks_the_broker
async def test_a_worker_killed_before_its_outcome_is_stored_causes_one_more_call(api: Api) -> None:
    worker, broker = await under_way(api), api.deployment.stack.broker
    broker.kill()
    await eventually(lambda: "gemini_answered" in worker.output, within=TAKES_OVER_WITHIN)
    worker.kill()
    broker.start()
    api.deployment.add("topic-worker", "topic-worker-2")
    await completed(api)
    await assert_paid(api, calls=1, repeated=0)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["the new worker", "the frozen worker"])
async def test_the_second_answer_of_an_attempt_is_wasted_as_repeated_whichever_worker_reports_it(
    api: Api, first: str
) -> None:
    worker, gemini = await under_way(api), api.deployment.gemini
    worker.freeze()
    await answered(api, 1)
    if first == "the frozen worker":
        gemini.add_fault("slow", seconds=5, times=1)
    api.deployment.add("topic-worker", "topic-worker-2")
    await eventually(lambda: gemini.calls["calls"] == 2, within=TAKES_OVER_WITHIN)
    if first == "the new worker":
        await completed(api)
    worker.thaw()
    await completed(api, times=2)
    await assert_paid(api, calls=2, repeated=1)
    assert await winner(api) == ("topic-worker-2" if first == "the new worker" else "topic-worker-1")
    await everything_settled(api)


async def winner(api: Api) -> str:
    [topic] = (await api.get("/topics"))["topics"]
    return str(topic["worker"])


async def everything_settled(api: Api) -> None:
    async def is_settled() -> bool:
        lag: Json = (await api.http.get("/health")).json()["lag"]["topic-worker"]
        return not lag["waiting"] and not lag["in_flight"]

    await eventually(is_settled, within=TAKES_OVER_WITHIN)
    assert all(service.is_alive for service in api.deployment.services.values())
