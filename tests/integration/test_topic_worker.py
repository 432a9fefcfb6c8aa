"""The topic-worker seen through the API: the real client over HTTP, the real broker; faults are in test_faults.py."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from integration.api import Api
from servers import Deployment

from shared.errors import SettingInvalid
from shared.llm.quota_day import end_of_day
from shared.streams import PROJECTOR
from topic_worker.settings import WorkerSettings


async def test_an_outage_is_shown_in_every_status_and_spends_no_try(api: Api) -> None:
    api.deployment.gemini.add_fault("503")
    parked = (await api.submit("Waits for the end of an outage"))["topics"][0]["id"]

    async def waiting() -> dict[str, Any] | None:
        status = await api.get("/processing-status")
        topic = await api.get(f"/topics/{parked}")
        worker = await api.get("/worker-status")
        waiting_for = [status["waiting_for"], topic["waiting_for"], worker["waiting_for"]]
        return topic if all(wait and wait["reason"] == "unavailable" for wait in waiting_for) else None

    topic = await eventually(waiting, within=10)
    assert topic["status"] == "pending"
    behind = (await api.submit("Behind the outage"))["topics"][0]["id"]
    assert (await api.get(f"/topics/{behind}"))["waiting_for"]["reason"] == "unavailable"
    api.deployment.gemini.forget_faults()
    for topic in await api.ended(parked, behind):
        assert topic["tries"] == 0
        assert topic["simulated"] is True


async def test_without_daily_quota_work_waits_visibly_until_a_key_with_quota_is_added(
    deployment: Deployment, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("used-up-1\nused-up-2\n")
    for key in ("used-up-1", "used-up-2"):
        deployment.gemini.add_fault("429", of_key=key, of_the_day=True)
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
    output = "".join(process.output for process in deployment.services.values())
    assert "used-up" not in output
    assert "has-some" not in output


async def test_a_card_has_the_fifteen_fields_and_those_of_the_system(api: Api) -> None:
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


def test_a_batch_size_above_five_means_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setenv("WORKER_BATCH_SIZE", "50")
    assert WorkerSettings.load().batch_size == 5


def test_a_worker_without_a_key_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_AI_API_KEY", "GEMINI_API_KEYS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingInvalid, match="GEMINI_API_KEY"):
        WorkerSettings.load()


def test_a_worker_with_a_key_that_no_header_allows_does_not_start_and_hides_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEYS", "good, sécret")
    with pytest.raises(
        SettingInvalid, match="GEMINI_API_KEYS: key 2 contains characters that are not allowed in an HTTP header"
    ) as refused:
        WorkerSettings.load()
    assert "cret" not in str(refused.value)
