"""Requests for the topics of an old file, and the merged answers."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from old_file import OldFile

from topicflow.client.api import ApiClient
from topicflow.errors import ServiceUnavailable
from topicflow.migration.old_system import open_old_system
from topicflow.migration.topics import import_topics
from topicflow.migration.totals import MigrationResult
from topicflow.views.sending import Sending


class FakeApi:
    """Accepts every topic as new; answers 503 from request number `fails_at`."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.requests: list[tuple[int, list[dict[str, Any]]]] = []  # bytes, topics
        self._fails_at = fails_at

    def client(self) -> ApiClient:
        return ApiClient("http://127.0.0.1:1", None, httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v1/topics/import"
        if len(self.requests) == self._fails_at:
            return httpx.Response(503, json={"detail": "away"}, headers={"Retry-After": "3600"})
        topics = json.loads(request.content)["topics"]
        self.requests.append((len(request.content), topics))
        return httpx.Response(202, json={"imported": len(topics), "queued": 0, "skipped": 0, "topics": []})

    @property
    def titles(self) -> list[str]:
        return [topic["title"] for _, topics in self.requests for topic in topics]


async def moved_from(path: Path, api: FakeApi, places: list[str] | None = None) -> MigrationResult:
    with open_old_system(path) as old:
        moved = MigrationResult(is_dry_run=False)
        sending = Sending(old.count, "topics", lambda now: places.append(now.position) if places is not None else None)
        async with api.client() as client:
            await import_topics(client, old, moved, sending)
    assert sending.is_over
    return moved


@pytest.fixture
def file(tmp_path: Path) -> OldFile:
    return OldFile(tmp_path / "old.db")


async def test_a_request_carries_at_most_500_topics_and_every_topic_is_in_one(file: OldFile) -> None:
    api, places = FakeApi(), list[str]()
    moved = await moved_from(file.completed(1100).path, api, places)
    assert [len(topics) for _, topics in api.requests] == [500, 500, 100]
    assert api.titles == [f"Old topic {n}" for n in range(1, 1101)]
    assert places == ["500 of 1,100 topics", "1,000 of 1,100 topics"]
    assert moved.line == "1,100 imported, 0 queued, 0 skipped"


@pytest.mark.parametrize(
    "description", ["ü" * 15_000, "\x01" * 20_000, "x" * 995_000], ids=["wide", "escaped", "large"]
)
async def test_no_request_is_larger_than_the_api_takes_however_large_the_cards_are(
    file: OldFile, description: str
) -> None:
    api = FakeApi()
    await moved_from(file.completed(150, description=description).path, api)
    assert len(api.titles) == 150
    assert max(size for size, _ in api.requests) < 2 * 1024 * 1024
    assert len(api.requests) < 150


async def test_the_same_topic_in_another_request_is_not_sent_again(file: OldFile) -> None:
    file.completed(600).topic(601, "old TOPIC 1").status("Old topic 2", "failed").status("Twice", "failed")
    file.status("twice ", "pending").status("No card", "completed").status("no card", "failed")
    api = FakeApi()
    moved = await moved_from(file.path, api)
    assert api.titles == [*(f"Old topic {n}" for n in range(1, 601)), "Twice"]
    assert moved.reasons == {"the same topic as one before it": 3, "completed, but its card is not in the file": 1}
    assert moved.counts["skipped"] == 4


async def test_an_empty_file_sends_no_request(file: OldFile) -> None:
    api = FakeApi()
    moved = await moved_from(file.path, api)
    assert (api.requests, moved.line) == ([], "0 imported, 0 queued, 0 skipped")


async def test_an_error_halfway_keeps_the_position_of_stored_topics(file: OldFile) -> None:
    api = FakeApi(fails_at=1)
    with open_old_system(file.completed(600).path) as old:
        sending = Sending(old.count, "topics", lambda _: None)
        with pytest.raises(ServiceUnavailable, match="away"):
            await import_topics(api.client(), old, MigrationResult(is_dry_run=False), sending)
    assert sending.position == "500 of 600 topics"
