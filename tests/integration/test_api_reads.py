"""The list and single topics on the projected sample topics."""

import time
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any

import pytest
from factories import BEGAN
from integration.api import Api, Json, problem
from integration.sample_topics import (
    COMPLETED,
    FAILED,
    LAST,
    PARKED,
    PENDING,
    PROCESSING,
    TIES,
    TITLES,
    UNTIL,
    card,
)

from shared.ids import topic_id

TOPIC = {"id", "title", "status", "attempt", "content", "error_message", "created_at", "updated_at", "started_at"}
TOPIC |= {"completed_at", "submitted_by", "tries", "worker", "legacy_id", "simulated", "waiting_for"}
AGE = {"as_of", "projection_lag_seconds"}


def titles(page: Json) -> list[str]:
    return [topic["title"] for topic in page["topics"]]


async def walk(api: Api, limit: int, **query: Any) -> list[Json]:
    """Every topic, page by page."""
    found: list[Json] = []
    cursor: str | None = None
    while True:
        page = await api.get("/topics", limit=limit, **query, **({"cursor": cursor} if cursor else {}))
        found += page["topics"]
        if not (cursor := page["next_cursor"]):
            return found
        assert len(page["topics"]) == limit


# -- the list ------------------------------------------------------------------------------------------------------


async def test_a_list_has_exactly_the_fields_of_the_contract(reads: Api) -> None:
    page = await reads.get("/topics", limit=3)
    assert page.keys() == AGE | {
        "topics",
        "total_count",
        "total_count_capped",
        "limit",
        "offset",
        "next_cursor",
        "simulated",
    }
    assert (page["total_count"], page["total_count_capped"], page["limit"], page["offset"]) == (
        len(TITLES),
        False,
        3,
        0,
    )
    assert (datetime.fromisoformat(page["as_of"]), page["projection_lag_seconds"]) == (LAST, 0.0)
    assert all(topic.keys() == TOPIC for topic in page["topics"])


async def test_topics_of_every_status_are_listed_newest_first(reads: Api) -> None:
    page = await reads.get("/topics", limit=100)
    assert sorted(titles(page)) == sorted(TITLES)
    assert page["next_cursor"] is None
    order = [(topic["created_at"], topic["id"]) for topic in page["topics"]]
    assert order == sorted(order, reverse=True)
    assert len({created_at for created_at, _ in order}) == len(TITLES) // TIES + 1


@pytest.mark.parametrize("limit", [1, 3, TIES, len(TITLES)])
async def test_paging_by_cursor_returns_each_topic_once_even_with_equal_times(reads: Api, limit: int) -> None:
    at_once = (await reads.get("/topics", limit=100))["topics"]
    assert await walk(reads, limit) == at_once


async def test_a_filter_applies_to_every_page(reads: Api) -> None:
    assert sorted(topic["title"] for topic in await walk(reads, 5, status="failed")) == FAILED
    found = await walk(reads, 2, search="completed")
    assert sorted(topic["title"] for topic in found) == sorted(title for title in COMPLETED if "Completed" in title)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("pending", PENDING + PARKED), ("processing", PROCESSING), ("failed", FAILED), ("completed", COMPLETED)],
)
async def test_a_status_filters_the_list_and_its_count(reads: Api, status: str, expected: list[str]) -> None:
    page = await reads.get("/topics", status=status, limit=100)
    assert sorted(titles(page)) == sorted(expected)
    assert page["total_count"] == len(expected)
    assert {topic["status"] for topic in page["topics"]} == {status}


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("%", ["100% sure"]),
        ("100%", ["100% sure"]),
        ("_", ["snake_case"]),
        ("STRASSE", ["Straße"]),
        ("\\", ["back\\slash"]),
        ("/", ["and/or"]),
        ("数据", ["数据库 design"]),
        ("\uff24esign", ["数据库 design"]),
        ("'reilly \"", ['O\'Reilly "x"']),
        ("  SURE ", ["100 sure", "100% sure"]),
        ("nothing like it", []),
    ],
)
async def test_a_search_finds_exactly_the_text_in_titles(reads: Api, search: str, expected: list[str]) -> None:
    page = await reads.get("/topics", search=search)
    assert sorted(titles(page)) == expected
    assert (page["total_count"], page["total_count_capped"]) == (len(expected), False)


async def test_a_search_within_a_status_counts_both(reads: Api) -> None:
    page = await reads.get("/topics", search="1", status="failed", limit=2)
    assert (len(page["topics"]), page["total_count"]) == (2, 3)  # 01, 10 and 11


async def test_an_offset_skips_for_old_clients(reads: Api) -> None:
    everything = titles(await reads.get("/topics", limit=100))
    page = await reads.get("/topics", limit=4, offset=6)
    assert (titles(page), page["offset"]) == (everything[6:10], 6)
    assert titles(await reads.get("/topics", offset=100_000)) == []


def _cursor(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "many"),
        ("offset", "-1"),
        ("offset", "9" * 30),
        ("status", "removed"),
        ("status", ""),
        ("search", ""),
        ("search", "x" * 501),
        ("search", "\x00"),
        ("colour", "red"),
        ("cursor", "!"),
        ("cursor", "ü"),
        ("cursor", "A"),
        ("cursor", _cursor("yesterday x")),
        ("cursor", _cursor("0001-01-01T00:00:00+23:59 x")),
        ("cursor", "x" * 201),
    ],
)
async def test_an_invalid_or_unknown_query_parameter_is_refused_by_name(reads: Api, name: str, value: str) -> None:
    refused = problem(await reads.ask("GET", "/topics", params={name: value}), 422)
    assert refused["detail"].startswith(f"{name}: ")
    assert refused["errors"][0]["field"] == name


# -- one topic -----------------------------------------------------------------------------------------------------


async def test_a_completed_topic_shows_its_content_and_no_error(reads: Api) -> None:
    topic = await reads.get(f"/topics/{topic_id('Straße')}")
    assert topic.keys() == TOPIC | AGE
    assert topic["content"] == card("Straße")
    assert (topic["status"], topic["simulated"], topic["error_message"], topic["waiting_for"]) == (
        "completed",
        True,
        None,
        None,
    )
    assert datetime.fromisoformat(topic["created_at"]) == BEGAN + timedelta(seconds=TITLES.index("Straße") // TIES)
    assert datetime.fromisoformat(topic["completed_at"]) == datetime.fromisoformat(topic["updated_at"])
    assert topic["completed_at"].endswith(("Z", "+00:00"))


async def test_a_failed_topic_shows_its_error_and_never_completed(reads: Api) -> None:
    topic = await reads.get(f"/topics/{topic_id('Failed 03')}")
    assert (topic["error_message"], topic["completed_at"], topic["content"]) == ("no Failed 03", None, None)


async def test_a_parked_topic_shows_what_it_waits_for_and_until_when(reads: Api) -> None:
    topic = await reads.get(f"/topics/{topic_id('Parked')}")
    assert topic["status"] == "pending"
    assert topic["waiting_for"].keys() == {"reason", "since", "until", "message"}
    assert topic["waiting_for"]["reason"] == "rate_limited"
    assert datetime.fromisoformat(topic["waiting_for"]["until"]) == UNTIL


async def test_a_topic_is_found_by_its_number_in_the_old_system(reads: Api) -> None:
    assert (await reads.get("/topics/374"))["title"] == "Completed 0"


@pytest.mark.parametrize(
    "id_",
    [
        "nothing",
        topic_id("Completed, then removed"),
        topic_id("never"),
        "375",
        "9" * 40,
        "٣٧٤٠",
        "%00",
        "%ff",
        "x" * 5000,
    ],
    ids=lambda id_: str(id_)[:40],
)
async def test_an_unknown_id_is_not_found_at_once(reads: Api, id_: str) -> None:
    began = time.monotonic()
    problem(await reads.ask("GET", f"/topics/{id_}"), 404)
    assert time.monotonic() - began < 0.5
