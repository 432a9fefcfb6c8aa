"""Following submitted topics to their end, beside other topics and through short outages."""

import asyncio
from typing import Any

import httpx
import pytest

from topicflow.actions.wait_for_topics import Follower
from topicflow.client.api import ApiClient
from topicflow.errors import Unreachable
from topicflow.views.progress import ProgressLine


class FakeApi:
    """Has topics; each request for the counts ends the next few."""

    def __init__(self, count: int, each_look: int) -> None:
        self.topics = {str(n): {"id": str(n), "title": f"t{n}", "status": "pending"} for n in range(count)}
        self.each_look = each_look
        self.reads = 0
        self.silent_looks = 0
        self.lag: float | None = 0

    def submitted(self) -> list[dict[str, Any]]:
        return [{**topic, "status": "pending"} for topic in self.topics.values()]

    def client(self) -> ApiClient:
        return ApiClient("http://127.0.0.1:1", None, httpx.MockTransport(self._answer))

    def end(self, key: str, status: str = "completed") -> None:
        self.topics[key]["status"] = status

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1")
        if path == "/processing-status":
            return self._status()
        if path == "/worker-status":
            return httpx.Response(200, json={"worker_running": True})
        self.reads += 1
        topic = self.topics.get(path.removeprefix("/topics/"))
        return httpx.Response(200, json=topic) if topic else httpx.Response(404, json={"detail": "no such topic"})

    def _status(self) -> httpx.Response:
        if self.silent_looks:
            self.silent_looks -= 1
            raise httpx.ReadError("gone")
        for key in [key for key, topic in self.topics.items() if topic["status"] == "pending"][: self.each_look]:
            self.end(key)
        statuses = [topic["status"] for topic in self.topics.values()]
        counts = {f"{status}_count": statuses.count(status) for status in ("completed", "failed")}
        return httpx.Response(200, json={**counts, "projection_lag_seconds": self.lag})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHORTEST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(f"topicflow.actions.wait_for_topics.{name}", 0)


async def _last(follower: Follower, patience: float = 0) -> ProgressLine:
    last = None
    async with asyncio.timeout(10):
        async for progress in follower.polls(patience):
            last = progress
    assert last
    return last


async def test_every_topic_is_followed_to_its_end_without_a_request_per_topic() -> None:
    fake = FakeApi(count=1000, each_look=50)
    last = await _last(Follower(fake.client(), fake.submitted()))
    assert (last.completed, last.total) == (1000, 1000)
    assert fake.reads < 3000


async def test_topics_of_others_do_not_count() -> None:
    fake = FakeApi(count=100, each_look=10)
    last = await _last(Follower(fake.client(), fake.submitted()[:30]))
    assert last.line == "30 of 30 completed"


async def test_failed_topics_are_counted_separately() -> None:
    fake = FakeApi(count=30, each_look=5)
    fake.end("7", "failed")
    follower = Follower(fake.client(), fake.submitted())
    assert (await _last(follower)).line == "29 of 30 completed, 1 failed"
    assert [topic["id"] for topic in follower.failures] == ["7"]


async def test_topics_that_end_in_any_order_are_found_behind_waiting_ones() -> None:
    fake = FakeApi(count=300, each_look=0)
    for key in list(fake.topics)[40:]:
        fake.end(key)
    looks = Follower(fake.client(), fake.submitted()).polls(patience=0)
    found = [(await anext(looks)).completed for _ in range(15)]
    assert found[-1] == 260
    await looks.aclose()


@pytest.mark.parametrize("lag", [None, 60])
async def test_the_end_of_an_earlier_attempt_is_not_the_end(lag: float | None) -> None:
    fake = FakeApi(count=1, each_look=0)
    fake.end("0", "failed")
    fake.lag = lag
    looks = Follower(fake.client(), fake.submitted()).polls(patience=0)
    assert (await anext(looks)).finished == 0
    fake.lag = 0
    fake.end("0")
    assert (await anext(looks)).line == "1 of 1 completed"
    await looks.aclose()


async def test_a_removed_topic_ends_the_wait_for_it() -> None:
    fake = FakeApi(count=2, each_look=0)
    looks = Follower(fake.client(), fake.submitted()).polls(patience=0)
    await anext(looks)
    del fake.topics["1"]
    fake.end("0")
    assert (await anext(looks)).line == "1 of 2 completed, 1 removed"
    await looks.aclose()


async def test_a_short_outage_of_the_api_is_tolerated_and_shown() -> None:
    fake = FakeApi(count=3, each_look=1)
    fake.silent_looks = 2
    looks = Follower(fake.client(), fake.submitted()).polls(patience=60)
    assert (await anext(looks)).waiting == "the API does not answer"
    assert (await anext(looks)).waiting == "the API does not answer"
    assert (await anext(looks)).waiting is None
    await looks.aclose()


async def test_a_long_outage_of_the_api_ends_the_wait() -> None:
    fake = FakeApi(count=3, each_look=1)
    fake.silent_looks = 1
    with pytest.raises(Unreachable):
        await _last(Follower(fake.client(), fake.submitted()), patience=-1)
