"""The status routes of a running deployment: workers, counts and failures."""

import time
from datetime import UTC, datetime, timedelta

from eventually import eventually
from integration.api import Api, problem

from shared.streams import PROJECTOR


async def test_an_idle_worker_is_running(api: Api) -> None:
    async def idle() -> bool:
        return (await api.get("/processing-status"))["is_processing"] is False

    await eventually(idle, within=20)
    status = await api.get("/worker-status")
    assert (status["worker_running"], status["pending_topics"], status["processing_topics"]) == (True, 0, 0)
    assert status["message"] == "1 topic-worker is running and idle"
    assert status["simulated"] is True
    [worker] = status["workers"]
    assert (worker["service"], worker["instance"]) == ("topic-worker", "topic-worker-1")
    names = {"service", "instance", "version", "in_flight", "slots", "processed", "failed", "started_at", "last_seen"}
    assert worker.keys() == names
    now = datetime.now(UTC)
    assert now - timedelta(seconds=5) < datetime.fromisoformat(worker["last_seen"]) < now + timedelta(seconds=1)


async def test_the_counts_follow_the_topics(api: Api) -> None:
    async def idle() -> dict[str, int]:
        status = await api.get("/processing-status")
        return {} if status["is_processing"] else status

    before = await eventually(idle, within=20)
    api.deployment.gemini.add_fault("block", title_contains="Counted as failed")
    answer = await api.submit("Counted 1", "Counted 2", "Counted as failed")
    ids = [topic["id"] for topic in answer["topics"]]
    await api.ended(*ids[:2])
    await api.ended(ids[2], as_="failed")
    after = await eventually(idle, within=20)
    moved = {name: after[name] - before[name] for name in before if name.endswith("_count")}
    assert moved == {
        "pending_count": 0,
        "processing_count": 0,
        "completed_count": 2,
        "failed_count": 1,
        "total_count": 3,
    }
    assert (await api.get("/topic-status-summary"))["summary"] == {
        status: after[f"{status}_count"] for status in ("pending", "processing", "completed", "failed")
    }


async def test_a_failure_is_shown_until_it_is_dismissed_and_a_new_one_is_shown_again(api: Api) -> None:
    async def fail(title: str) -> None:
        api.deployment.gemini.add_fault("block", title_contains=title)
        await api.ended((await api.submit(title))["topics"][0]["id"], as_="failed")

    async def is_shown() -> bool:
        status = await api.get("/processing-status")
        assert not status["is_processing"]
        return bool(status["show_status"])

    await fail("Seen failure")
    assert await is_shown()
    answer = await api.ask("POST", "/processing-status/seen")
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "message": "all failures so far are marked as seen"}
    assert not await is_shown()
    await fail("Another failure")
    assert await is_shown()


async def test_health_with_everything_running_is_ok(api: Api) -> None:
    health = (await api.http.get("/health")).json()
    assert health["status"] == "ok"
    assert (health["topic_workers"], health["projectors"], health["simulated"]) == (1, 1, True)
    assert health["broker"] == health["database"] == {"status": "ok"}
    figures = {"waiting", "in_flight", "oldest_seconds", "time_to_loss_seconds"}
    assert health["lag"]["topic-worker"].keys() == figures


async def test_answers_are_sent_without_delay(api: Api) -> None:
    """Not 40 ms later, after the delayed TCP acknowledgement of the headers."""
    took = []
    for _ in range(10):
        began = time.monotonic()
        await api.http.get("/live")
        took.append(time.monotonic() - began)
    assert min(took) < 0.03


async def test_a_stopped_projector_shows_in_the_age_of_the_answers(api: Api) -> None:
    await api.ended((await api.submit("Before the stop"))["topics"][0]["id"])
    before = await api.get("/processing-status")
    projector = api.deployment.services[f"{PROJECTOR}-1"]
    assert projector.stop() == 0
    try:
        [topic] = (await api.submit("During the stop"))["topics"]

        async def lags() -> bool:
            return bool((await api.get("/topics"))["projection_lag_seconds"] > 1)

        await eventually(lags, within=5)
        began = time.monotonic()
        problem(await api.ask("GET", f"/topics/{topic['id']}"), 404)
        assert 0.9 < time.monotonic() - began < 2  # the id could belong to an event that is not projected yet
        status = await api.get("/processing-status")
        assert (status["as_of"], status["total_count"]) == (before["as_of"], before["total_count"])
    finally:
        projector.start()
    await api.ended(topic["id"])
