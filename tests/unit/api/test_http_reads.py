"""ETags of reads, without a server: what an upgrade changes."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from api import http_reads
from api.http_reads import EntityTags

Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def ask() -> Ask:
    async def answer(_: Request) -> JSONResponse:
        return JSONResponse({"pending": 3})

    app = EntityTags(Starlette(routes=[Route("/api/v1/topics", answer)]))

    async def ask(known: str = "") -> httpx.Response:
        headers = {"If-None-Match": known} if known else {}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get("/api/v1/topics", headers=headers)

    return ask


async def test_after_an_upgrade_the_same_answer_is_sent_again(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version may mean something else by it."""
    tag = (await ask()).headers["etag"]
    assert (await ask(tag)).status_code == 304
    monkeypatch.setattr(http_reads, "__version__", "99.0")
    upgraded = await ask(tag)
    assert (upgraded.status_code, upgraded.json()) == (200, {"pending": 3})
    assert (await ask(upgraded.headers["etag"])).status_code == 304
