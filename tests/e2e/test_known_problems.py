"""The problems of the systems before this one, one test each, numbered as in docs/known-problems.md.

All services are real, and used through the API and the CLI.
"""

import asyncio
from collections import Counter
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from e2e.conftest import SESSION_TIMEOUT
from e2e.local_mode import Ended, run
from eventually import eventually
from integration.api import Api, Json, problem
from servers import Process

OF_THE_MOMENT = ("as_of", "projection_lag_seconds")
OF_HEARTBEATS = ("simulated", "waiting_for")


async def submitted(api: Api, *titles: str, **options: Any) -> list[str]:
    return [topic["id"] for topic in (await api.submit(*titles, **options))["topics"]]


async def failed(api: Api, *titles: str) -> list[str]:
    """New topics that Gemini refused; it would accept them now."""
    api.deployment.gemini.add_fault("block")
    ids = await submitted(api, *titles)
    await api.ended(*ids, as_="failed")
    api.deployment.gemini.forget_faults()
    return ids


async def events(api: Api, id_: str, name: str) -> list[Json]:
    return [event for event in (await api.get(f"/topics/{id_}/history"))["events"] if event["event"] == name]


async def is_under_way(api: Api, id_: str) -> bool:
    answer = await api.ask("GET", f"/topics/{id_}")
    return answer.is_success and answer.json()["status"] == "processing"


async def waits_for(api: Api, id_: str) -> Json | None:
    topic = await api.ask("GET", f"/topics/{id_}")
    return topic.json()["waiting_for"] if topic.is_success else None


async def runs(api: Api, workers: int) -> bool:
    status = await api.get("/worker-status")
    return status["worker_running"] is (workers > 0) and len(status["workers"]) == workers


def paid(api: Api) -> dict[str, int]:
    """The number of good answers by title since the test started."""
    return dict(api.deployment.gemini.calls["titles"])


def without_age(answer: Json) -> Json:
    return {name: value for name, value in answer.items() if name not in OF_THE_MOMENT}


def worker_of(api: Api) -> Process:
    return api.deployment.services["topic-worker-1"]


async def command(api: Api, *arguments: str) -> Ended:
    return await asyncio.to_thread(run, Path(api.deployment.folder), *arguments, "--url", api.deployment.url)


async def test_01_rows_stuck_in_processing_after_a_crash(api: Api) -> None:
    api.deployment.gemini.take(1)
    ids = await submitted(api, *(f"In a crash {n}" for n in range(20)))
    await eventually(partial(is_under_way, api, ids[-1]), within=10)
    worker_of(api).kill()
    worker_of(api).start()
    assert {topic["attempt"] for topic in await api.ended(*ids)} == {1}
    assert (await api.get("/processing-status"))["is_processing"] is False


async def test_02_a_worker_that_was_not_running_and_nobody_noticed(api: Api) -> None:
    assert worker_of(api).stop() == 0
    [id_] = await submitted(api, "Without a worker")
    await eventually(partial(runs, api, 0), within=5)
    message = "no topic-worker is running; 1 topics are waiting"
    assert (await api.get("/worker-status"))["message"] == message
    assert (await api.http.get("/health")).json()["status"] == "degraded"
    assert message in (await command(api, "status")).out
    worker_of(api).start()
    await api.ended(id_)


async def test_03_duplicate_rows_because_the_model_rewrites_titles_or_the_case_differs(api: Api) -> None:
    long = "Doubled: " + "really " * 20 + "long"
    [id_] = await submitted(api, long)
    [topic] = await api.ended(id_)
    rewritten = topic["content"]["title"]
    assert rewritten != long
    for title in (rewritten, rewritten.upper(), long.title(), f" {long}\t"):
        answer = await api.submit(title)
        assert (answer["saved_topics"], answer["topics"][0]["id"]) == (0, id_)
    assert (await api.get("/topics", search="doubled"))["total_count"] == 1
    assert paid(api) == {long: 1}


async def test_04_one_bad_item_failing_its_whole_batch(api: Api) -> None:
    api.deployment.gemini.add_fault("bad_item", title_contains="rotten")
    bad, *good = await submitted(api, "A rotten one", *(f"Beside it {n}" for n in range(4)))
    assert {topic["attempt"] for topic in await api.ended(*good)} == {1}
    [topic] = await api.ended(bad, as_="failed")
    assert (topic["tries"], topic["content"]) == (3, None)
    assert [paid(api)[f"Beside it {n}"] for n in range(4)] == [1] * 4


async def test_05_a_failed_batch_losing_the_finished_ones(api: Api) -> None:
    assert (await api.ask("POST", "/cleanup-failed")).is_success
    api.deployment.gemini.add_fault("block", title_contains="cursed")
    finished = [f"Finished before {n}" for n in range(5)]
    ids = await submitted(api, *finished, *(f"Of a cursed batch {n}" for n in range(5)))
    before = await api.ended(*ids[:5])
    await api.ended(*ids[5:], as_="failed")
    api.deployment.gemini.forget_faults()
    assert (await api.ask("POST", "/topics/retry-failed")).json() == {"count": 5}
    assert {topic["attempt"] for topic in await api.ended(*ids[5:])} == {2}
    assert [without_age(topic) for topic in await api.ended(*ids[:5])] == [without_age(topic) for topic in before]
    assert [paid(api)[title] for title in finished] == [1] * 5


async def test_07_quota_errors_rotated_at_once_through_all_keys(api: Api) -> None:
    for title in ("Of the first key", "Of the second", "Of the third"):  # from here on refused keys are skipped
        await api.ended(*await submitted(api, title))
    api.deployment.gemini.forget_calls()
    api.deployment.gemini.add_fault("429", times=1, retry_after_seconds=3)
    [first] = await submitted(api, "Over the quota")
    wait = await eventually(partial(waits_for, api, first), within=10)
    since, until = (datetime.fromisoformat(wait[name]) for name in ("since", "until"))
    assert (wait["reason"], round((until - since).total_seconds())) == ("rate_limited", 3)
    ids = [first, *await submitted(api, "Behind it", "And behind that")]
    assert "rate_limited" in (await command(api, "topics", "show", first)).out
    assert {(topic["tries"], topic["attempt"]) for topic in await api.ended(*ids)} == {(0, 1)}
    starts = [start for id_ in ids for start in await events(api, id_, "SubmissionStarted")]
    assert sum(datetime.fromisoformat(start["time"]) < until for start in starts) == 1
    assert api.deployment.gemini.calls["by_status"].keys() == {"429", "200"}  # 400: a refused key
    assert api.deployment.gemini.calls["by_status"]["429"] == 1


async def test_08_a_retry_route_that_did_not_work(api: Api) -> None:
    one, two = await failed(api, "Retried over HTTP", "Retried by command")
    answer = await api.ask("POST", f"/topics/{one}/retry")
    assert (answer.status_code, answer.json()["attempt"]) == (202, 2)
    assert (await command(api, "topics", "retry", two)).code == 0
    assert {topic["attempt"] for topic in await api.ended(one, two)} == {2}
    problem(await api.ask("POST", f"/topics/{one}/retry"), 409)
    problem(await api.ask("POST", "/topics/nothing/retry"), 404)


async def test_09_success_rates_over_100_percent(api: Api) -> None:
    ids = await submitted(api, *(f"Rated {n}" for n in range(4)))
    await api.ended(*ids)
    bad = await failed(api, "Rated badly", "Rated worse")
    await assert_rate_matches_rows(api)
    api.deployment.gemini.take(0.5)
    for _ in range(3):
        await api.submit("Rated 0", "Rated 1", force=True)
        await assert_rate_matches_rows(api)
    for id_ in (ids[3], bad[0]):
        assert (await api.ask("DELETE", f"/topics/{id_}")).is_success
        await assert_rate_matches_rows(api)
    assert (await api.ask("POST", f"/topics/{bad[1]}/retry")).is_success
    await assert_rate_matches_rows(api)
    await api.ended(*ids[:3], bad[1])
    await assert_rate_matches_rows(api)


async def assert_rate_matches_rows(api: Api) -> None:
    """Compares stats and rows at a moment when nothing changes."""

    async def agrees() -> bool:
        stats = await api.get("/stats")
        assert 0 <= stats["success_rate"] <= 100
        there = await statuses(api)
        rate = round(100 * there["completed"] / (there["completed"] + there["failed"]), 2)
        return (stats["completed"], stats["success_rate"]) == (there["completed"], rate)

    await eventually(agrees, within=5)


async def statuses(api: Api) -> Counter[str]:
    """Counts the statuses of all topics, page by page."""
    found, page = Counter[str](), await api.get("/topics", limit=100)
    found.update(topic["status"] for topic in page["topics"])
    while page["next_cursor"]:
        page = await api.get("/topics", limit=100, cursor=page["next_cursor"])
        found.update(topic["status"] for topic in page["topics"])
    return found


async def test_10_an_old_error_message_on_a_completed_topic(api: Api) -> None:
    [id_] = await failed(api, "Once in error")
    assert (await api.get(f"/topics/{id_}"))["error_message"]
    await api.submit("Once in error")
    [topic] = await api.ended(id_)
    assert topic["error_message"] is None
    assert id_ not in [failure["id"] for failure in (await api.get("/processing-status"))["recent_failures"]]
    shown = await command(api, "topics", "show", id_)
    assert (shown.code, "refuses" in shown.out) == (0, False)


async def test_11_id_collisions_that_overwrite(api: Api) -> None:
    names = ("C", "C++", "C#", "C-", "C_", ".C", "C/C", "CC", "C C", "Ç", "©", "1", "01")
    titles = [f"{name} overwritten" for name in names]
    titles += [f"Overwritten {n}" for n in range(400)]
    ids = await submitted(api, *titles)
    assert len(set(ids)) == len(titles)
    topics = await api.ended(*ids)
    assert [topic["title"] for topic in topics] == [topic["content"]["title"] for topic in topics] == titles


async def test_12_a_lock_shorter_than_a_slow_call_so_that_work_is_done_twice(api: Api) -> None:
    second = api.deployment.add("topic-worker", "topic-worker-2")
    try:
        await eventually(partial(runs, api, 2), within=15)
        api.deployment.gemini.take(3 * SESSION_TIMEOUT)
        [id_] = await submitted(api, "Slower than the lock")
        await api.ended(id_)
        assert len(await events(api, id_, "SubmissionStarted")) == 1
        assert api.deployment.gemini.calls["calls"] == 1
    finally:
        second.end()
        del api.deployment.services["topic-worker-2"]


async def test_15_outages_that_burn_the_retries_of_innocent_submissions(api: Api) -> None:
    api.deployment.gemini.kill()
    [first] = await submitted(api, "Innocent")
    wait = await eventually(partial(waits_for, api, first), within=10)
    assert wait["reason"] == "unavailable"

    async def was_parked_more_often_than_the_tries() -> bool:
        return len(await events(api, first, "SubmissionParked")) > 3

    await eventually(was_parked_more_often_than_the_tries, within=20)
    ids = [first, *await submitted(api, "Innocent too", "As innocent")]
    api.deployment.gemini.start()
    assert {(topic["tries"], topic["attempt"]) for topic in await api.ended(*ids)} == {(0, 1)}


async def test_16_paid_answers_lost_because_the_write_failed_afterwards(api: Api) -> None:
    api.deployment.gemini.take(1)
    [id_] = await submitted(api, "Paid for")
    await eventually(lambda: api.deployment.gemini.calls["in_flight"] == 1, within=10)
    api.deployment.stack.broker.kill()
    await eventually(lambda: paid(api) == {"Paid for": 1}, within=10)
    await eventually(lambda: "outcomes_wait_for_broker" in worker_of(api).output, within=10)
    api.deployment.stack.broker.start()
    [topic] = await api.ended(id_)
    assert (topic["content"]["title"], topic["attempt"]) == ("Paid for", 1)
    assert api.deployment.gemini.calls["calls"] == 1


async def test_17_counters_that_differ_per_replica_and_vanish_on_restart(api: Api, other: Api) -> None:
    await api.ended(*await submitted(api, "Counted here"))
    await other.ended(*await submitted(other, "Counted there"))
    await failed(api, "Counted as failed")
    before = await counted(api)
    assert before["completed"] >= 2
    assert await counted(other) == before
    for service in api.deployment.services.values():
        service.end()
        service.start()
    for replica in (api, other):
        await replica.ready()
        assert await counted(replica) == before


async def counted(api: Api) -> Json:
    """The fields of the status routes, except those from heartbeats, which a new process receives seconds later."""
    answers = [await api.get(path) for path in ("/processing-status", "/topic-status-summary", "/stats")]
    shown = {name: value for answer in answers for name, value in without_age(answer).items()}
    return {name: value for name, value in shown.items() if name not in OF_HEARTBEATS}


@pytest.mark.parametrize("dies", [True, False], ids=["dead", "frozen"])
async def test_18_a_dead_worker_while_status_says_running(api: Api, other: Api, dies: bool) -> None:
    worker = worker_of(api)
    worker.kill() if dies else worker.freeze()
    await asyncio.gather(*(eventually(partial(runs, replica, 0), within=5) for replica in (api, other)))
    worker.start() if dies else worker.thaw()
    await asyncio.gather(*(eventually(partial(runs, replica, 1), within=10) for replica in (api, other)))
