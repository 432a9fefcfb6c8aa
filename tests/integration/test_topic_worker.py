"""The topic-worker against Gemini's moods: the real client over HTTP, the real broker, seen through the API."""

from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from integration.api import Api
from integration.databases import rows
from servers import Deployment

from shared.errors import SettingInvalid
from shared.gemini_keys import end_of_day
from shared.streams import PROJECTOR
from topic_worker.settings import WorkerSettings

NUMBER = count()


def history(deployment: Deployment, id_: str) -> list[str]:
    found = rows(deployment.database_url, f"SELECT event FROM history WHERE id = '{id_}' ORDER BY time")
    return [event for (event,) in found]


# mood, its scope, titles, how the one that it is about ends, its tries, whether it waited visibly
MOODS = [
    ("429", {"times": 2, "retry_after_seconds": 0.2}, "completed", 0, True),
    ("503", {"times": 2}, "completed", 0, True),
    ("500", {"times": 1}, "completed", 0, False),
    ("500", {"for_seconds": 0.5}, "completed", 0, True),
    ("500", {"title_contains": "victim"}, "failed", 3, True),
    ("401", {"times": 1}, "completed", 0, True),
    ("reset", {"times": 1}, "completed", 0, False),
    ("reset", {"title_contains": "victim"}, "failed", 3, True),
    ("bad_json", {"times": 1}, "completed", 0, False),
    ("empty", {"times": 1}, "completed", 0, False),
    ("finish", {"times": 1, "reason": "MAX_TOKENS"}, "completed", 0, False),
    ("bad_item", {"times": 1, "title_contains": "victim"}, "completed", 0, False),
    ("missing_item", {"times": 1, "title_contains": "victim"}, "completed", 0, False),
    ("bad_item", {"title_contains": "victim"}, "failed", 3, True),
    ("block", {"title_contains": "victim"}, "failed", 0, False),
]


@pytest.mark.parametrize(("mood", "scope", "ends_as", "tries", "waits"), MOODS)
async def test_every_mood_ends_as_it_should_and_spends_only_its_own_tries(
    api: Api, mood: str, scope: dict[str, Any], ends_as: str, tries: int, waits: bool
) -> None:
    name = f"Mood {next(NUMBER)}"
    victim, *neighbours = [f"{name} {who}" for who in ("victim", "A", "B", "C", "D")]
    api.deployment.gemini.tell(mood, **scope)
    topics = (await api.submit(victim, *neighbours))["topics"]
    [seen] = await api.ended(topics[0]["id"], as_=ends_as)
    await api.ended(*(topic["id"] for topic in topics[1:]))
    api.deployment.gemini.forget_moods()
    assert seen["tries"] == tries
    assert seen["waiting_for"] is None
    assert (seen["error_message"] is not None) is (ends_as == "failed")
    assert ("SubmissionParked" in history(api.deployment, seen["id"])) is waits

    async def is_over() -> bool:
        return (await api.get("/processing-status"))["waiting_for"] is None

    await eventually(is_over, within=5)


async def test_an_outage_is_said_plainly_wherever_status_is_shown_and_spends_nothing(api: Api) -> None:
    api.deployment.gemini.tell("503")
    parked = (await api.submit("Waits for the end of an outage"))["topics"][0]["id"]

    async def waiting() -> dict[str, Any] | None:
        status = await api.get("/processing-status")
        topic = await api.get(f"/topics/{parked}")
        worker = await api.get("/worker-status")
        shown = [status["waiting_for"], topic["waiting_for"], worker["waiting_for"]]
        return topic if all(wait and wait["reason"] == "unavailable" for wait in shown) else None

    topic = await eventually(waiting, within=10)
    assert topic["status"] == "pending"
    behind = (await api.submit("Behind the outage"))["topics"][0]["id"]
    assert (await api.get(f"/topics/{behind}"))["waiting_for"]["reason"] == "unavailable"
    api.deployment.gemini.forget_moods()
    for topic in await api.ended(parked, behind):
        assert topic["tries"] == 0
        assert topic["simulated"] is True


async def test_without_quota_for_the_day_work_waits_visibly_until_a_key_that_has_some_is_given(
    deployment: Deployment, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("used-up-1\nused-up-2\n")
    for key in ("used-up-1", "used-up-2"):
        deployment.gemini.tell("429", of_key=key, of_the_day=True)
    for service in ("api", PROJECTOR):
        deployment.add(service)
    deployment.add("topic-worker", GEMINI_API_KEY="", GEMINI_API_KEYS_FILE=str(keys))
    async with deployment.client() as client:
        api = await Api(deployment, client).ready()
        id_ = (await api.submit("Waits for a quota"))["topics"][0]["id"]

        async def waits() -> dict[str, Any] | None:
            topic = await api.get(f"/topics/{id_}")
            shown = (await api.get("/processing-status"))["waiting_for"]
            return topic if topic["waiting_for"] and shown and shown["reason"] == "daily_quota" else None

        topic = await eventually(waits, within=10)
        assert topic["status"] == "pending"
        assert datetime.fromisoformat(topic["waiting_for"]["until"]) == end_of_day()
        keys.write_text("has-some\n")
        [topic] = await api.ended(id_)
    assert topic["tries"] == 0
    assert deployment.gemini.calls["by_status"] == {"429": 2, "200": 1}
    said = "".join(process.said for process in deployment.services.values())
    assert "used-up" not in said
    assert "has-some" not in said


async def test_a_card_has_the_fifteen_fields_and_the_systems_own(api: Api) -> None:
    id_ = (await api.submit("A card in full"))["topics"][0]["id"]
    [topic] = await api.ended(id_)
    assert topic["content"].keys() == {
        *("title", "description", "category", "subcategory", "company", "technologies", "complexity_level", "tags"),
        *("related_topics", "metrics", "implementation_details", "learning_objectives", "difficulty"),
        *("estimated_read_time", "prerequisites"),
        *("created_date", "updated_date", "generated_at", "source"),
    }


async def test_five_titles_share_a_call_and_batch_size_limits_it(api: Api) -> None:
    def calls() -> int:
        return int(api.deployment.gemini.calls["calls"])

    before = calls()
    topics = (await api.submit(*(f"Shared call {n}" for n in range(5))))["topics"]
    await api.ended(*(topic["id"] for topic in topics))
    assert calls() - before == 1
    before = calls()
    topics = (await api.submit(*(f"Call of one's own {n}" for n in range(5)), batch_size=1))["topics"]
    await api.ended(*(topic["id"] for topic in topics))
    assert calls() - before == 5


def test_more_than_five_titles_a_call_is_taken_as_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setenv("WORKER_BATCH_SIZE", "50")
    assert WorkerSettings.load().batch_size == 5


def test_a_worker_without_a_key_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_AI_API_KEY", "GEMINI_API_KEYS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingInvalid, match="GEMINI_API_KEY"):
        WorkerSettings.load()
