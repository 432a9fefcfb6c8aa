"""GET /topics by any filter and in any order, filter options, and statistics."""

from datetime import datetime
from typing import Any

import pytest
from integration.api import Api, Json, problem
from integration.sample_topics import CATEGORIES, COMPLETED, FAILED, PENDING, TITLES, card
from integration.test_api_reads import titles, walk

from shared.ids import normal, topic_id

SORTS = ("created_at", "updated_at", "title", "status", "difficulty")


def has(value: str, field: str) -> list[str]:
    """Titles of the completed topics with this value."""
    found = {title: card(title)[field] for title in COMPLETED}
    return sorted(title for title, own in found.items() if own == value or (isinstance(own, list) and value in own))


@pytest.mark.parametrize(
    ("parameter", "field", "value"),
    [
        ("category", "category", "databases"),
        ("subcategory", "subcategory", "sub"),
        ("company", "company", "Company 3"),
        ("complexity", "complexity_level", "expert"),
        ("tag", "tags", "tag 2"),
        ("technology", "technologies", "Kafka"),
        ("technology", "technologies", "kafka"),
        ("tag", "tags", "Kafka"),
    ],
)
async def test_a_filter_shows_exactly_the_cards_with_its_value(
    reads: Api, parameter: str, field: str, value: str
) -> None:
    page = await reads.get("/topics", limit=100, **{parameter: value})
    assert sorted(titles(page)) == has(value, field)
    assert page["total_count"] == len(has(value, field))


async def test_combined_filters_show_topics_that_match_all_of_them(reads: Api) -> None:
    query = {"category": "security", "tag": "tag 1", "technology": "technology 3", "status": "completed"}
    page = await reads.get("/topics", search="completed", **query)
    assert titles(page)
    expected = set(has("security", "category")) & set(has("tag 1", "tags")) & set(has("technology 3", "technologies"))
    assert set(titles(page)) == {title for title in expected if "Completed" in title}
    assert (await reads.get("/topics", **query | {"status": "failed"}))["topics"] == []


def key(topic: Json, sort_by: str) -> Any:
    """The sort key, with tie breakers."""
    if sort_by == "title":
        return (normal(topic["title"]), topic["id"])
    if sort_by == "updated_at":
        return (topic["updated_at"], topic["id"])
    first = {"created_at": 0, "status": topic["status"], "difficulty": (topic["content"] or {}).get("difficulty", 0)}
    return (first[sort_by], topic["created_at"], topic["id"])


@pytest.mark.parametrize("sort_order", ["asc", "desc"])
@pytest.mark.parametrize("sort_by", SORTS)
@pytest.mark.parametrize("filters", [{}, {"status": "completed"}, {"tag": "all"}], ids=str)
async def test_paging_in_any_order_returns_each_topic_once_and_in_order(
    reads: Api, sort_by: str, sort_order: str, filters: dict[str, str]
) -> None:
    found = await walk(reads, 7, sort_by=sort_by, sort_order=sort_order, **filters)
    assert sorted(topic["title"] for topic in found) == sorted(COMPLETED if filters else TITLES)
    keys = [key(topic, sort_by) for topic in found]
    assert keys == sorted(keys, reverse=sort_order == "desc")


async def test_a_cursor_of_another_list_is_refused(reads: Api) -> None:
    cursor = (await reads.get("/topics", limit=3, tag="all"))["next_cursor"]
    assert (await reads.get("/topics", limit=5, tag="all", cursor=cursor))["total_count"] == len(COMPLETED)
    for other in ({}, {"tag": "tag 1"}, {"tag": "all", "sort_by": "title"}, {"tag": "all", "sort_order": "asc"}):
        refused = problem(await reads.ask("GET", "/topics", params={"cursor": cursor} | other), 422)
        assert "belongs to another list" in refused["detail"]


@pytest.mark.parametrize(
    ("name", "value"), [("sort_by", "colour"), ("sort_order", "up"), ("tag", ""), ("company", "x" * 501)]
)
async def test_an_invalid_order_or_filter_is_refused_by_name(reads: Api, name: str, value: str) -> None:
    assert problem(await reads.ask("GET", "/topics", params={name: value}), 422)["errors"][0]["field"] == name


async def test_the_filter_options_are_the_values_of_the_cards(reads: Api) -> None:
    assert await reads.get("/topics/filter-options") == {
        "categories": sorted(CATEGORIES),
        "subcategories": ["sub"],
        "companies": [f"Company {n}" for n in range(5)],
        "technologies": ["Kafka", *(f"technology {n}" for n in range(4))],
        "tags": ["all", "tag 0", "tag 1", "tag 2"],
        "complexity_levels": ["expert"],
    }


async def test_the_stats_cover_the_existing_topics(reads: Api) -> None:
    stats = await reads.get("/stats")
    by_category = {category: len(has(category, "category")) for category in CATEGORIES}
    times = [await reads.get(f"/topics/{topic_id(title)}") for title in COMPLETED]
    took = [_at(topic["completed_at"]) - _at(topic["started_at"]) for topic in times]
    assert stats == {
        "total_topics": len(TITLES),
        "completed": len(COMPLETED),
        "failed": len(FAILED),
        "success_rate": round(100 * len(COMPLETED) / (len(COMPLETED) + len(FAILED)), 2),
        "average_seconds": round(sum(took) / len(took), 3),
        "by_category": by_category,
        "by_complexity": {"expert": len(COMPLETED)},
        "simulated": None,
    }


def _at(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


async def test_a_history_lists_every_event_in_order_with_its_cost(reads: Api) -> None:
    history = await reads.get(f"/topics/{topic_id('Straße')}/history")
    assert (history["id"], history["is_complete"]) == (topic_id("Straße"), True)
    names = [event["event"] for event in history["events"]]
    assert names == ["TopicSubmitted", "SubmissionStarted", "SubmissionCompleted"]
    submitted, started, completed = history["events"]
    assert submitted.keys() == {
        *("event", "attempt", "time", "run", "worker", "model", "tokens_in", "tokens_out", "cost", "error")
    }
    assert (submitted["run"], submitted["model"], submitted["cost"]) == (None, None, None)
    assert started["run"] == completed["run"]
    paid = [completed[name] for name in ("worker", "model", "tokens_in", "tokens_out", "cost")]
    assert paid == ["worker-1", "gemini", 70, 700, 0.25]
    failed = (await reads.get(f"/topics/{topic_id('Failed 03')}/history"))["events"][-1]
    assert (failed["event"], failed["error"]) == ("SubmissionFailed", "no Failed 03")


async def test_a_long_history_shows_its_newest_events_and_is_marked_as_incomplete(reads: Api) -> None:
    history = await reads.get(f"/topics/{topic_id('Straße')}/history", limit=2)
    assert [event["event"] for event in history["events"]] == ["SubmissionStarted", "SubmissionCompleted"]
    assert history["is_complete"] is False


@pytest.mark.parametrize("id_", ["nothing", topic_id("Completed, then removed")])
async def test_an_unknown_topic_has_no_history(reads: Api, id_: str) -> None:
    problem(await reads.ask("GET", f"/topics/{id_}/history"), 404)


async def test_a_topic_of_the_old_system_has_its_history_under_its_old_number(reads: Api) -> None:
    assert (await reads.get("/topics/374/history"))["id"] == topic_id("Completed 0")
    assert PENDING[0] in titles(await reads.get("/topics", search=PENDING[0]))


# -- by time, worker, submitter and error --------------------------------------------------------------------------


async def test_lists_are_asked_by_time_from_inclusive_to_exclusive(reads: Api) -> None:
    everything = (await reads.get("/topics", limit=100, sort_by="title", sort_order="asc"))["topics"]
    for field in ("created", "updated"):
        times = sorted({topic[f"{field}_at"] for topic in everything})
        start, end = times[1], times[-1]
        page = await reads.get(
            "/topics", limit=100, sort_by=f"{field}_at", **{f"{field}_from": start, f"{field}_to": end}
        )
        expected = sorted(topic["title"] for topic in everything if start <= topic[f"{field}_at"] < end)
        assert sorted(titles(page)) == expected
        assert (page["total_count"], page["total_count_capped"], page["next_cursor"]) == (len(expected), False, None)
        by_title = await reads.get(
            "/topics", limit=100, sort_by="title", **{f"{field}_from": start, f"{field}_to": end}
        )
        assert sorted(titles(by_title)) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"worker": "worker-1", "status": "failed"}, FAILED),
        ({"submitted_by": "local", "status": "pending", "search": "pending"}, PENDING),
        ({"error_contains": "NO FAILED"}, FAILED),
        ({"simulated": "true"}, COMPLETED),
        ({"simulated": "false"}, []),
        ({"worker": "nobody"}, []),
    ],
    ids=str,
)
async def test_lists_are_asked_by_worker_submitter_error_and_simulation(
    reads: Api, query: dict[str, str], expected: list[str]
) -> None:
    assert sorted(titles(await reads.get("/topics", limit=100, **query))) == sorted(expected)
    assert sorted(topic["title"] for topic in await walk(reads, 3, **query)) == sorted(expected)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("created_from", "yesterday"),
        ("created_to", "2026-05-01T00:00:00"),
        ("updated_from", "0001-01-01T00:00:00+14:00"),
        ("updated_to", ""),
        ("worker", ""),
        ("simulated", "perhaps"),
        ("error_contains", "x" * 501),
    ],
)
async def test_a_filter_that_cannot_be_used_is_refused_by_its_name(reads: Api, field: str, value: str) -> None:
    for path in ("/topics", "/articles"):
        refused = problem(await reads.ask("GET", path, params={field: value}), 422)
        assert refused["errors"][0]["field"] == field
