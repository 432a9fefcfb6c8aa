"""Requests for the articles of the old system, and the merged answers."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from topicflow.client.api import ApiClient
from topicflow.errors import Unreachable
from topicflow.migration.articles import import_articles
from topicflow.migration.totals import ARTICLES, MigrationResult
from topicflow.views.sending import Sending


class Old:
    """`lost_after`: the number of reads before the connection is lost."""

    def __init__(self, *ids: str, lost_after: int | None = None) -> None:
        self._ids = ids
        self._lost_after = lost_after
        self.count = len(ids)

    async def ids(self) -> AsyncIterator[str]:
        for n, id_ in enumerate(self._ids):
            if n == self._lost_after:
                raise Unreachable("away")
            yield id_


async def moved_from(old: Old, sending: Sending | None = None) -> tuple[MigrationResult, list[list[str]]]:
    """And the requests."""
    requests: list[list[str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v1/articles/import"
        requests.append(json.loads(request.content)["urns"])
        reasons = [{"reason": None if n else "already completed here"} for n in range(len(requests[-1]))]
        return httpx.Response(202, json={"imported": len(reasons) - 1, "skipped": 1, "articles": reasons})

    moved = MigrationResult(is_dry_run=False, kind=ARTICLES)
    sending = sending or Sending(old.count, "articles", lambda _: None)
    async with ApiClient("http://127.0.0.1:1", None, httpx.MockTransport(answer)) as api:
        await import_articles(api, old, moved, sending)
    assert sending.is_over
    return moved, requests


async def test_a_request_carries_at_most_500_articles_and_every_article_is_in_one() -> None:
    urns = [f"urn:article:{n}" for n in range(1100)]
    moved, requests = await moved_from(Old(*urns))
    assert [len(request) for request in requests] == [500, 500, 100]
    assert [urn for request in requests for urn in request] == urns
    assert (moved.line, moved.reasons) == ("1,097 imported, 3 skipped", {"already completed here": 3})


async def test_invalid_urns_are_skipped_by_name() -> None:
    moved, requests = await moved_from(Old("12345", " urn:article:x ", "urn:a b"))
    assert requests == [["urn:article:x"]]
    assert [name for name, _ in moved.left_out] == ["12345", "urn:a b"]
    assert moved.answer["left_out"][0]["urn"] == "12345"
    assert moved.line == "0 imported, 1 skipped, 2 left out"


@pytest.mark.parametrize("ids", [(), ("1", "2")], ids=["none", "no urns"])
async def test_without_valid_urns_no_request_is_sent(ids: tuple[str, ...]) -> None:
    _, requests = await moved_from(Old(*ids))
    assert requests == []


async def test_a_lost_redis_connection_keeps_the_position_of_stored_articles() -> None:
    old = Old(*(f"urn:article:{n}" for n in range(1000)), lost_after=600)
    sending = Sending(old.count, "articles", lambda _: None)
    with pytest.raises(Unreachable, match="away"):
        await moved_from(old, sending)
    assert sending.position == "500 of 1,000 articles"
