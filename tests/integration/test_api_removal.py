"""DELETE, retry-failed and cleanup-failed against a running deployment."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from integration.api import Api, Json, problem
from integration.databases import execute

from shared.ids import topic_id

NUMBER = count()


async def failed(api: Api, *names: str) -> list[Json]:
    """New topics that Gemini refused."""
    titles = [f"{name} {next(NUMBER)} unwanted" for name in names]
    api.deployment.gemini.add_fault("block", title_contains="unwanted")
    topics = (await api.submit(*titles))["topics"]
    found = await api.ended(*(topic["id"] for topic in topics), as_="failed")
    api.deployment.gemini.forget_faults()
    return found


@pytest.fixture(autouse=True)
async def _nothing_failed_before(api: Api) -> None:
    assert (await api.ask("POST", "/cleanup-failed")).status_code == 200


async def counts(api: Api) -> dict[str, int]:
    return dict((await api.get("/topic-status-summary"))["summary"])


async def test_a_deleted_topic_is_gone_from_every_read_and_count_when_the_answer_arrives(api: Api) -> None:
    [topic] = (await api.submit("Deleted"))["topics"]
    await api.ended(topic["id"])
    before, stats = await counts(api), await api.get("/stats")
    answer = await api.ask("DELETE", f"/topics/{topic['id']}")
    assert (answer.status_code, answer.json()) == (200, {"success": True, "message": "deleted: Deleted"})
    problem(await api.ask("GET", f"/topics/{topic['id']}"), 404)
    problem(await api.ask("GET", f"/topics/{topic['id']}/history"), 404)
    problem(await api.ask("DELETE", f"/topics/{topic['id']}"), 404)
    problem(await api.ask("POST", f"/topics/{topic['id']}/retry", json={"force": True}), 404)
    assert (await api.get("/topics", search="deleted"))["total_count"] == 0
    assert await counts(api) == before | {"completed": before["completed"] - 1}
    after = await api.get("/stats")
    assert sum(after["by_category"].values()) == sum(stats["by_category"].values()) - 1


async def test_a_deleted_topic_can_be_submitted_again(api: Api) -> None:
    [topic] = (await api.submit("Deleted and back"))["topics"]
    await api.ended(topic["id"])
    await api.ask("DELETE", f"/topics/{topic['id']}")
    assert (await api.submit("Deleted and back"))["saved_topics"] == 1
    [again] = await api.ended(topic["id"])
    assert (again["attempt"], again["content"]["title"]) == (2, "Deleted and back")


async def test_a_topic_deleted_while_it_waits_does_not_come_back(api: Api) -> None:
    api.deployment.gemini.add_fault("503")
    [topic] = (await api.submit("Deleted while it waits"))["topics"]
    assert (await api.ask("DELETE", f"/topics/{topic['id']}")).status_code == 200
    problem(await api.ask("GET", f"/topics/{topic['id']}"), 404)
    api.deployment.gemini.forget_faults()
    [other] = (await api.submit("After the deleted one"))["topics"]
    await api.ended(other["id"])
    problem(await api.ask("GET", f"/topics/{topic['id']}"), 404)


async def test_an_unknown_topic_cannot_be_deleted(api: Api) -> None:
    problem(await api.ask("DELETE", "/topics/nothing"), 404)


async def test_all_failed_topics_are_queued_again(api: Api) -> None:
    topics = await failed(api, "A", "B", "C")
    answer = await api.ask("POST", "/topics/retry-failed")
    assert (answer.status_code, answer.json()) == (202, {"count": 3})
    for topic in await api.ended(*(topic["id"] for topic in topics)):
        assert (topic["attempt"], topic["error_message"]) == (2, None)
    assert (await api.ask("POST", "/topics/retry-failed", json={})).json() == {"count": 0}


@pytest.mark.parametrize(
    ("which", "queued"),
    [
        ({"error_contains": "BLOCKED the"}, 2),
        ({"error_contains": "100%"}, 0),
        ({"older_than_hours": 0.5}, 0),
        ({"older_than_hours": 0, "error_contains": "blocked"}, 2),
    ],
)
async def test_retried_topics_can_be_selected_by_error_and_age(api: Api, which: dict[str, Any], queued: int) -> None:
    topics = await failed(api, "D", "E")
    assert (await api.ask("POST", "/topics/retry-failed", json=which)).json() == {"count": queued}
    await api.ended(*(topic["id"] for topic in topics), as_="completed" if queued else "failed")


async def test_cleanup_deletes_only_topics_that_failed_long_enough_ago(api: Api) -> None:
    old, new = await failed(api, "Old", "New")
    long_ago = (datetime.now(UTC) - timedelta(hours=30)).strftime("%Y-%m-%d %H:%M:%S.%f")
    execute(api.deployment.database_url, f"UPDATE submissions SET ended_at = '{long_ago}' WHERE id = '{old['id']}'")
    answer = await api.ask("POST", "/cleanup-failed", json={"older_than_hours": 24})
    assert answer.json() == {"success": True, "message": "1 failed topic deleted", "cleaned_count": 1}
    problem(await api.ask("GET", f"/topics/{old['id']}"), 404)
    assert (await api.get(f"/topics/{new['id']}"))["status"] == "failed"


@pytest.mark.slow
async def test_cleanup_and_retry_cover_more_failures_than_one_page(api: Api) -> None:
    api.deployment.gemini.add_fault("block", title_contains="crowd")
    titles = [f"Of a crowd {n}" for n in range(510)]
    for some in (titles[:500], titles[500:]):
        await api.submit(*some)
    await api.ended(*map(topic_id, titles), as_="failed")
    assert (await api.ask("POST", "/topics/retry-failed", json={"error_contains": "blocked"})).json() == {"count": 510}
    await asyncio.gather(*(_at_attempt(api, topic_id(title), 2) for title in titles))
    assert (await api.ask("POST", "/cleanup-failed")).json()["cleaned_count"] == 510
    assert (await api.get("/topics", search="of a crowd"))["total_count"] == 0
    assert (await counts(api))["failed"] == 0


async def _at_attempt(api: Api, id_: str, attempt: int) -> None:
    while True:
        [topic] = await api.ended(id_, as_="failed")
        if topic["attempt"] == attempt:
            return


@pytest.mark.parametrize("path", ["/topics/retry-failed", "/cleanup-failed"])
@pytest.mark.parametrize("body", [{"older_than_hours": -1}, {"older_than_hours": "x"}, {"nonsense": 1}], ids=str)
async def test_an_invalid_selection_is_refused_by_the_name_of_its_field(
    api: Api, path: str, body: dict[str, Any]
) -> None:
    [field] = body
    assert problem(await api.ask("POST", path, json=body), 422)["errors"][0]["field"] == field


# -- many by their ids ----------------------------------------------------------------------------------------------


async def test_many_are_retried_by_their_ids_with_a_verdict_for_each(api: Api) -> None:
    one, two = await failed(api, "Bulk 1", "Bulk 2")
    [done] = (await api.submit("Bulk done"))["topics"]
    await api.ended(done["id"])
    ids = [one["id"], "nothing", done["id"], two["id"], one["id"]]
    answer = await api.ask("POST", "/topics/retry", json={"ids": ids})
    assert answer.status_code == 202
    assert answer.json() == {
        "count": 2,
        "topics": [
            {"id": one["id"], "verdict": "queued", "status": "pending", "attempt": 2},
            {"id": "nothing", "verdict": "not_found", "status": None, "attempt": None},
            {"id": done["id"], "verdict": "skipped", "status": "completed", "attempt": 1},
            {"id": two["id"], "verdict": "queued", "status": "pending", "attempt": 2},
        ],
    }
    assert [topic["attempt"] for topic in await api.ended(one["id"], two["id"])] == [2, 2]
    forced = await api.ask("POST", "/topics/retry", json={"ids": [done["id"]], "force": True})
    assert forced.json()["topics"][0]["attempt"] == 2
    assert (await api.ended(done["id"]))[0]["attempt"] == 2


async def test_many_are_deleted_by_their_ids_with_a_verdict_for_each(api: Api) -> None:
    topics = (await api.submit("Deleted in bulk 1", "Deleted in bulk 2"))["topics"]
    ids = [topic["id"] for topic in topics]
    await api.ended(*ids)
    before = await counts(api)
    answer = await api.ask("POST", "/topics/delete", json={"ids": [ids[0], "nothing", *ids]})
    assert answer.json() == {
        "count": 2,
        "topics": [
            {"id": ids[0], "verdict": "deleted"},
            {"id": "nothing", "verdict": "not_found"},
            {"id": ids[1], "verdict": "deleted"},
        ],
    }
    for id_ in ids:
        problem(await api.ask("GET", f"/topics/{id_}"), 404)
    assert await counts(api) == before | {"completed": before["completed"] - 2}


async def test_what_was_just_submitted_can_be_retried_and_deleted_by_its_id(api: Api) -> None:
    for path in ("/topics/retry", "/topics/delete"):
        [topic] = (await api.submit(f"Just submitted, then {path}"))["topics"]
        answer = (await api.ask("POST", path, json={"ids": [topic["id"]]})).json()
        assert answer["topics"][0]["verdict"] != "not_found"


async def test_an_article_is_no_topic(api: Api) -> None:
    [article] = (await api.ask("POST", "/articles", json={"urns": ["urn:article:not-a-topic"]})).json()["articles"]
    for path in ("/topics/retry", "/topics/delete"):
        answer = await api.ask("POST", path, json={"ids": [article["id"]]})
        assert answer.json()["topics"][0]["verdict"] == "not_found"


@pytest.mark.parametrize("ids", [[], [""], ["x" * 65], ["x\0"], [7], ["x"] * 501, "x"])
async def test_a_list_of_ids_that_cannot_be_used_is_refused_by_its_field(api: Api, ids: object) -> None:
    for path in ("/topics/retry", "/topics/delete"):
        refused = problem(await api.ask("POST", path, json={"ids": ids}), 422)
        assert refused["errors"][0]["field"].startswith("ids")
