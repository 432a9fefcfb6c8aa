"""What the API shows of a projection whose every row is known: the lists, the single topics and the status routes.

No topic-worker runs; what it would have said is published here.
"""

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from eventually import eventually
from integration.api import Api, Json, problem
from integration.stories import BEGAN, at
from servers import Deployment, GeminiStandIn, ValkeyServer

from shared.events import (
    ErrorDetail,
    SubmissionCompleted,
    SubmissionEvent,
    SubmissionFailed,
    SubmissionParked,
    SubmissionStarted,
    TopicRemoved,
    TopicSubmitted,
    topic_id,
)
from shared.streams import PROJECTOR
from shared.transport.redis_streams import RedisTransport
from shared.wire import Record, encode

TIES = 10  # topics that were submitted at the same moment
PENDING = [f"Pending {n}" for n in range(5)]
PARKED = ["Parked"]
PROCESSING = [f"Processing {n}" for n in range(4)]
FAILED = [f"Failed {n:02}" for n in range(12)]
STRANGE = [
    "100% sure",
    "100 sure",
    "snake_case",
    "snakeXcase",
    "Straße",
    "back\\slash",
    "and/or",
    "数据库 design",
    'O\'Reilly "x"',
]
COMPLETED = [*STRANGE, *(f"Completed {n}" for n in range(8))]
TITLES = [*PENDING, *PARKED, *PROCESSING, *FAILED, *COMPLETED]
UNTIL = BEGAN + timedelta(days=999)
LAST = BEGAN + timedelta(hours=2)
TOPIC = {"id", "title", "status", "attempt", "content", "error_message", "created_at", "updated_at", "started_at"}
TOPIC |= {"completed_at", "tries", "worker", "legacy_id", "simulated", "waiting_for"}
AGE = {"as_of", "projection_lag_seconds"}


def _story(n: int, title: str) -> list[SubmissionEvent]:
    at = BEGAN + timedelta(seconds=n // TIES)
    asked = TopicSubmitted(id=topic_id(title), attempt=1, title=title, submitted_at=at, submitted_by="local")
    about: dict[str, Any] = {"id": asked.id, "kind": "topic", "attempt": 1, "run": f"run {n}", "worker": "worker-1"}
    about |= {"title": title, "submitted_at": at, "legacy_id": 374 if title == "Completed 0" else None}
    if title in PENDING:
        return [asked]
    started = SubmissionStarted(**about)
    if title in PROCESSING:
        return [asked, started]
    if title in PARKED:
        return [asked, started, SubmissionParked(**about, reason="rate_limited", until=UNTIL)]
    if title in FAILED:
        return [asked, SubmissionFailed(**about, error=ErrorDetail(code="refused", message=f"no {title}"))]
    return [asked, started, SubmissionCompleted(**about, content={"title": title, "n": n}, simulated=True)]


def _records() -> list[Record]:
    gone = _story(0, "Completed, then removed")
    told = [(n, event) for n, title in enumerate(TITLES) for event in _story(n, title)]
    told += [(0, event) for event in (*gone, TopicRemoved(id=gone[0].id, attempt=1, by="local"))]
    records = [at(BEGAN + timedelta(hours=1, seconds=n), encode(event, source="test")) for n, event in told]
    return [*records[:-1], at(LAST, records[-1])]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("reads")
    valkey = ValkeyServer(folder / "valkey")
    valkey.start()
    deployed = Deployment(folder, valkey, GeminiStandIn(folder))
    deployed.add("api", "api-1")
    deployed.add(PROJECTOR, "projector-1")

    async def publish() -> None:
        transport = RedisTransport(valkey.url)
        await transport.provision()
        await transport.publish(_records())
        await transport.close()

    asyncio.run(publish())
    yield deployed
    deployed.end()


@pytest.fixture
async def reads(deployed: Deployment) -> AsyncIterator[Api]:
    async with deployed.client() as client:
        api = Api(deployed, client)
        await api.answers()

        async def projected() -> bool:
            answer = await api.ask("GET", "/topics")
            return answer.is_success and datetime.fromisoformat(answer.json()["as_of"] or str(BEGAN)) == LAST

        await eventually(projected, within=20)
        yield api


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


async def test_a_list_has_exactly_the_contracts_shape(reads: Api) -> None:
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
async def test_a_walk_by_cursor_meets_each_topic_once_however_many_are_of_one_moment(reads: Api, limit: int) -> None:
    at_once = (await reads.get("/topics", limit=100))["topics"]
    assert await walk(reads, limit) == at_once


async def test_a_filter_holds_through_a_walk(reads: Api) -> None:
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
async def test_a_search_finds_exactly_what_is_in_the_title(reads: Api, search: str, expected: list[str]) -> None:
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
async def test_a_bad_or_unknown_query_parameter_is_refused_by_name(reads: Api, name: str, value: str) -> None:
    refused = problem(await reads.ask("GET", "/topics", params={name: value}), 422)
    assert refused["detail"].startswith(f"{name}: ")
    assert refused["errors"][0]["field"] == name


# -- one topic -----------------------------------------------------------------------------------------------------


async def test_a_completed_topic_shows_its_content_and_no_error(reads: Api) -> None:
    topic = await reads.get(f"/topics/{topic_id('Straße')}")
    assert topic.keys() == TOPIC | AGE
    assert topic["content"] == {"title": "Straße", "n": TITLES.index("Straße")}
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
    assert topic["waiting_for"].keys() == {"reason", "since", "until"}
    assert topic["waiting_for"]["reason"] == "rate_limited"
    assert datetime.fromisoformat(topic["waiting_for"]["until"]) == UNTIL


async def test_a_topic_is_found_by_the_number_it_had_in_the_old_system(reads: Api) -> None:
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


# -- status --------------------------------------------------------------------------------------------------------


async def test_the_processing_status_has_exactly_the_contracts_shape(reads: Api) -> None:
    status = await reads.get("/processing-status")
    failures = status.pop("recent_failures")
    assert datetime.fromisoformat(status.pop("as_of")) == LAST
    assert status == {
        "is_processing": True,
        "pending_count": len(PENDING + PARKED),
        "processing_count": len(PROCESSING),
        "completed_count": len(COMPLETED),
        "failed_count": len(FAILED),
        "total_count": len(TITLES),
        "show_status": True,
        "waiting_for": None,
        "simulated": None,
        "projection_lag_seconds": 0.0,
    }
    assert [failure["title"] for failure in failures] == FAILED[:1:-1]  # the ten newest
    assert all(failure.keys() == {"id", "title", "error_message", "created_at"} for failure in failures)
    assert failures[0]["error_message"] == "no Failed 11"


async def test_without_a_worker_the_worker_status_says_so(reads: Api) -> None:
    async def known() -> Json | None:
        status = await reads.get("/worker-status")
        return None if status["message"].startswith("not known") else status

    assert await eventually(known, within=5) == {
        "worker_running": False,
        "pending_topics": len(PENDING + PARKED),
        "processing_topics": len(PROCESSING),
        "message": f"no topic-worker is running; {len(PENDING + PARKED + PROCESSING)} topics wait for one",
        "workers": [],
        "waiting_for": None,
        "simulated": None,
    }


async def test_the_summary_counts_each_status(reads: Api) -> None:
    summary = await reads.get("/topic-status-summary")
    counts = {"pending": len(PENDING + PARKED), "processing": len(PROCESSING)}
    counts |= {"completed": len(COMPLETED), "failed": len(FAILED)}
    assert summary == {"success": True, "summary": counts, "simulated": None}


async def test_health_without_a_worker_is_degraded_and_says_what_there_is(reads: Api) -> None:
    assert (await reads.http.get("/live")).json() == {"status": "ok"}
    ready = await reads.http.get("/ready")
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ok", "broker": {"status": "ok"}, "database": {"status": "ok"}},
    )

    async def with_projector() -> Json | None:
        health = (await reads.http.get("/health")).json()
        return health if health["projectors"] else None

    health = await eventually(with_projector, within=5)
    assert (health["status"], health["topic_workers"], health["projectors"]) == ("degraded", 0, 1)
    assert (health["dead_letters"], health["projection_lag_seconds"]) == (0, 0.0)
    assert health["lag"].keys() == {"topic-worker"}
