"""POST /topics/import against a running deployment: what is imported, queued and skipped, and what it costs."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from eventually import eventually
from integration.api import Api, problem

from shared.events import SubmissionCompleted, SubmissionEvent, TopicRemoved
from shared.ids import topic_id
from shared.messaging.cloudevents import encode

NUMBERS = count(1000)
CARD: dict[str, Any] = {"title": "As the model called it", "company": "n/a", "tags": "plain, text", "difficulty": 11}


def old(title: str, status: str = "completed", **more: Any) -> dict[str, Any]:
    card = {"content": CARD | {"title": title}, "completed_at": "2024-01-03T04:05:06Z"} if status == "completed" else {}
    return {
        "title": title,
        "legacy_id": next(NUMBERS),
        "status": status,
        "created_at": "2024-01-02T00:00:00Z",
        **card,
        **more,
    }


async def import_topics(api: Api, *topics: dict[str, Any], dry_run: bool = False) -> dict[str, Any]:
    answer = await api.ask("POST", "/topics/import", json={"topics": topics, "dry_run": dry_run})
    assert answer.status_code == (200 if dry_run else 202), answer.text
    return dict(answer.json())


async def counted(api: Api) -> dict[str, Any]:
    """The counts, once nothing is in progress and everything is projected."""

    async def at_rest() -> dict[str, Any] | None:
        status = await api.get("/processing-status")
        return status if status["projection_lag_seconds"] == 0 and not status["is_processing"] else None

    status = await eventually(at_rest, within=20)
    return {name: status[name] for name in ("completed_count", "failed_count", "total_count")}


def calls(api: Api, title: str) -> int:
    return sum(n for called, n in api.deployment.gemini.calls["titles"].items() if called == title)


@pytest.fixture
async def publish(api: Api) -> AsyncIterator[Any]:
    """Publishes an event as a service would, and waits until it is projected."""
    transport = api.deployment.stack.connect()

    async def publish(event: SubmissionEvent) -> None:
        await transport.publish([encode(event, source="test")])
        await counted(api)

    yield publish
    await transport.close()


# -- verdicts ------------------------------------------------------------------------------------------------------


async def test_a_completed_topic_keeps_its_content_and_old_number_and_costs_nothing(api: Api) -> None:
    before = await counted(api)
    topic = old("Imported topic")
    answer = await import_topics(api, topic)
    assert answer == {
        "dry_run": False,
        "imported": 1,
        "queued": 0,
        "skipped": 0,
        "topics": [
            {
                "id": topic_id("Imported topic"),
                "title": "Imported topic",
                "legacy_id": topic["legacy_id"],
                "verdict": "imported",
                "reason": None,
            }
        ],
    }
    [here] = await api.ended(str(topic["legacy_id"]))
    assert here["content"] == topic["content"]
    assert {name: here[name] for name in ("id", "title", "attempt", "simulated", "worker", "legacy_id")} == {
        "id": topic_id("Imported topic"),
        "title": "Imported topic",
        "attempt": 1,
        "simulated": False,
        "worker": "import",
        "legacy_id": topic["legacy_id"],
    }
    assert (here["created_at"], here["completed_at"]) == ("2024-01-02T00:00:00Z", "2024-01-03T04:05:06Z")
    after = await counted(api)
    assert after == before | {
        "completed_count": before["completed_count"] + 1,
        "total_count": before["total_count"] + 1,
    }
    assert calls(api, "Imported topic") == 0


async def test_failed_and_pending_topics_are_queued_under_their_old_number_and_called_once(api: Api) -> None:
    topics = [old("Failed there", "failed"), old("Waits there", "pending", legacy_id=None)]
    answer = await import_topics(api, *topics)
    assert (answer["queued"], answer["imported"]) == (2, 0)
    first, second = await api.ended(*(topic["id"] for topic in answer["topics"]))
    assert (first["legacy_id"], second["legacy_id"]) == (topics[0]["legacy_id"], None)
    assert first["created_at"] == "2024-01-02T00:00:00Z"
    assert (await api.get(f"/topics/{topics[0]['legacy_id']}"))["id"] == first["id"]
    number = str(topics[0]["legacy_id"])
    for path in ("/topics/retry", "/topics/delete"):
        answer = (await api.ask("POST", path, json={"ids": [number, first["id"], "1" * 19]})).json()
        assert [topic["verdict"] == "not_found" for topic in answer["topics"]] == [False, False, True]
        assert answer["count"] <= 1
    assert [calls(api, topic["title"]) for topic in topics] == [1, 1]


async def test_a_repeated_import_changes_nothing_and_costs_nothing(api: Api) -> None:
    topics = [old("Again"), old("Again failed", "failed")]
    first = await import_topics(api, *topics)
    await api.ended(*(topic["id"] for topic in first["topics"]))
    before = [await counted(api)] + [await _without_age(api, topic["id"]) for topic in first["topics"]]
    again = await import_topics(api, *topics)
    assert (again["imported"], again["queued"], again["skipped"]) == (0, 0, 2)
    assert {topic["reason"] for topic in again["topics"]} == {"already completed here"}
    assert [await counted(api)] + [await _without_age(api, topic["id"]) for topic in first["topics"]] == before
    assert (calls(api, "Again"), calls(api, "Again failed")) == (0, 1)


async def test_a_repeated_import_before_projection_changes_nothing(api: Api) -> None:
    before = await counted(api)
    topics = [old(f"At once {n}") for n in range(50)] + [old(f"At once queued {n}", "pending") for n in range(5)]
    *_, answer = [await import_topics(api, *topics) for _ in range(3)]
    await api.ended(*(topic["id"] for topic in answer["topics"]))
    assert (await counted(api))["total_count"] == before["total_count"] + 55
    assert [calls(api, f"At once queued {n}") for n in range(5)] == [1] * 5


async def test_a_dry_run_reports_the_same_verdicts_and_changes_nothing(api: Api) -> None:
    await api.ended(*(topic["id"] for topic in (await import_topics(api, old("Known before")))["topics"]))
    before = await counted(api)
    topics = [old("Dry"), old("Dry failed", "failed"), old("Known before"), old("dry")]
    dry = await import_topics(api, *topics, dry_run=True)
    assert [topic["verdict"] for topic in dry["topics"]] == ["imported", "queued", "skipped", "skipped"]
    assert await counted(api) == before
    problem(await api.ask("GET", f"/topics/{topic_id('Dry')}"), 404)
    wet = await import_topics(api, *topics)
    assert wet == dry | {"dry_run": False}


async def test_a_removed_topic_is_not_imported(api: Api, publish: Any) -> None:
    topic = old("Removed topic")
    await import_topics(api, topic)
    await api.ended(topic_id(topic["title"]))
    await publish(TopicRemoved(id=topic_id(topic["title"]), attempt=1, by="local"))
    before = await counted(api)
    answer = await import_topics(api, topic, old(topic["title"], "pending"))
    assert (answer["skipped"], answer["topics"][0]["reason"]) == (2, "removed here")
    assert await counted(api) == before
    problem(await api.ask("GET", f"/topics/{topic['legacy_id']}"), 404)


async def test_a_card_generated_here_stays_and_gets_its_old_number(api: Api, publish: Any) -> None:
    fields = {"id": topic_id("Written here"), "attempt": 1, "kind": "topic", "title": "Written here", "worker": "w"}
    now = datetime.now(UTC)
    await publish(SubmissionCompleted(**fields, run="r", submitted_at=now, content={"title": "Ours"}))
    topic = old("WRITTEN HERE")
    for _ in range(2):
        assert (await import_topics(api, topic))["skipped"] == 1
        [here] = await api.ended(str(topic["legacy_id"]))
        assert (here["title"], here["content"], here["created_at"]) == (
            "Written here",
            {"title": "Ours"},
            now.isoformat().replace("+00:00", "Z"),
        )


async def test_an_old_card_replaces_a_simulated_card_and_a_failure(api: Api) -> None:
    api.deployment.gemini.add_fault("block", title_contains="Blocked here")
    ids = [topic["id"] for topic in (await api.submit("Simulated here", "Blocked here"))["topics"]]
    await api.ended(ids[0])
    await api.ended(ids[1], as_="failed")
    topics = [old("Simulated here"), old("Blocked here")]
    assert (await import_topics(api, *topics))["imported"] == 2
    for topic in await api.ended(*(str(topic["legacy_id"]) for topic in topics)):
        assert (topic["attempt"], topic["simulated"], topic["error_message"]) == (2, False, None)
        assert topic["content"]["company"] == "n/a"
    assert (await import_topics(api, *topics))["skipped"] == 2


async def test_an_old_card_ends_an_attempt_in_progress_and_its_late_answer_does_not_count(api: Api) -> None:
    api.deployment.gemini.take(1.0)
    [under_way] = (await api.submit("Called for here"))["topics"]
    [started] = await api.ended(under_way["id"], as_="processing")
    assert (await import_topics(api, old("Called for here")))["imported"] == 1
    [here] = await api.ended(under_way["id"])
    assert (here["attempt"], here["content"]["company"], here["worker"]) == (1, "n/a", "import")
    api.deployment.gemini.take(0.0)

    async def answered() -> dict[str, Any] | None:
        topic = await _without_age(api, under_way["id"])
        return topic if topic["updated_at"] > started["updated_at"] else None

    late = await eventually(answered, within=20)
    assert late["content"] == here["content"]
    assert late["completed_at"] == here["completed_at"] == "2024-01-03T04:05:06Z"


async def test_missing_and_future_times_become_now(api: Api) -> None:
    unknown = old("No times", created_at=None, completed_at=None)
    future = old("From the future", created_at="2999-01-02T00:00:00Z", completed_at="2999-01-01T00:00:00Z")
    began = datetime.now(UTC)
    await import_topics(api, unknown, future)
    for topic in await api.ended(*(topic_id(topic["title"]) for topic in (unknown, future))):
        assert began <= datetime.fromisoformat(topic["completed_at"]) <= datetime.now(UTC)
        assert topic["created_at"] == topic["completed_at"]


# -- refused bodies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"topics": []}, "topics"),
        ({"topics": [old(str(n)) for n in range(501)]}, "topics"),
        ({}, "topics"),
        ({"topics": [old("x")], "force": True}, "force"),
        ({"topics": [old("x"), old("  ")]}, "topics[1].title"),
        ({"topics": [old("x"), old("y", content=None)]}, "topics[1].content"),
        ({"topics": [old("x", status="completed", content=[1])]}, "topics[0].content"),
        ({"topics": [old("x", status="skipped")]}, "topics[0].status"),
        ({"topics": [old("x", legacy_id="seven")]}, "topics[0].legacy_id"),
        ({"topics": [old("x", completed_at="yesterday")]}, "topics[0].completed_at"),
        ({"topics": [old("x", colour="red")]}, "topics[0].colour"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_an_invalid_body_is_refused_with_the_name_of_the_field(api: Api, body: Any, field: str) -> None:
    refused = problem(await api.ask("POST", "/topics/import", json=body), 422)
    assert refused["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "card",
    [b'{"a": NaN}', b'{"a": "\\ud800"}', b'{"\\udfff": 1}', b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}"],
    ids=["no number", "half a surrogate pair", "a field named half a pair", "deep"],
)
async def test_a_card_that_no_event_can_carry_is_refused(api: Api, card: bytes) -> None:
    body = b'{"topics": [{"title": "Odd card", "status": "completed", "content": %s}]}' % card
    answer = await api.ask("POST", "/topics/import", content=body, headers={"content-type": "application/json"})
    assert problem(answer, 422)["errors"][0]["field"] == "topics[0].content"


async def test_the_deepest_accepted_card_is_projected(api: Api) -> None:
    deepest: Any = "here"
    while True:
        answer = await api.ask(
            "POST", "/topics/import", json={"topics": [old("Deep", content={"a": deepest})], "dry_run": True}
        )
        if answer.status_code == 422:
            break
        taken, deepest = deepest, [deepest]
    await import_topics(api, old("Deep", content={"a": taken}))
    assert (await api.ended(topic_id("Deep")))[0]["content"] == {"a": taken}


async def _without_age(api: Api, id_: str) -> dict[str, Any]:
    topic = await api.get(f"/topics/{id_}")
    return {name: value for name, value in topic.items() if name not in {"as_of", "projection_lag_seconds"}}


async def test_a_card_with_nul_characters_is_imported_without_them(api: Api) -> None:
    """PostgreSQL stores no U+0000."""
    zeros = {"company": "Nul\0l", "tags": ["ze\0ro", "one"], "metrics": {"sca\0le": ["a \0 b"]}}
    topic = old("A card with zeros")
    await import_topics(api, topic | {"content": topic["content"] | zeros})
    [here] = await api.ended(str(topic["legacy_id"]))
    clean = {"company": "Nul\ufffdl", "tags": ["ze\ufffdro", "one"], "metrics": {"sca\ufffdle": ["a \ufffd b"]}}
    assert here["content"] == topic["content"] | clean
    assert topic_id("A card with zeros") in [
        one["id"] for one in (await api.get("/topics", tag="ze\ufffdro"))["topics"]
    ]
