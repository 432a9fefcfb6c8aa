"""`topicflow articles scan`: submits all catalogue articles that are not enriched yet; --wait follows them."""

import asyncio
import json
from contextlib import aclosing
from typing import Annotated, Any

import typer
from rich.text import Text

from local_processes.plain_text import one_line
from topicflow.actions.changes import looks
from topicflow.actions.system_state import waiting_line
from topicflow.client import AsyncClient
from topicflow.client.api import answer_of
from topicflow.errors import Failed, Interrupted
from topicflow.options import JsonOption, UrlOption, api_at
from topicflow.views.display import Display, console_for, display_on

PAUSE = 0.5  # seconds between two looks
IN_PROGRESS = ("pending", "processing")


def scan(
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Wait until the scan and all articles have ended; exit with 1 if anything failed."),
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Submit all articles of the catalogue that are not enriched yet.

    Only one scan runs at a time: if one is in progress, this command follows it.
    """
    asyncio.run(_scan(url, wait=wait, as_json=as_json))


async def _scan(url: str | None, *, wait: bool, as_json: bool) -> None:
    """Progress is printed to stderr, the result to stdout."""
    async with api_at(url) as api:
        scan = answer_of(await api.post("/articles/scan", {}))
        failed_before = await _count(api, "failed")
        try:
            if wait:
                with display_on(console_for(stderr=True)) as display:
                    scan = await _ended(api, display)
                    await _all_articles_ended(api, display)
        except asyncio.CancelledError as interruption:
            raise Interrupted("interrupted; the work continues, see `topicflow articles list`") from interruption
        typer.echo(json.dumps(scan, ensure_ascii=False) if as_json else _line(scan))
        if wait and (failed := await _count(api, "failed") - failed_before) > 0:
            raise Failed(f"{failed} articles failed: topicflow articles list --status failed")
    if scan["status"] == "failed":
        raise Failed(f"{one_line(scan['scan'])} failed: {one_line(scan['error_message'] or 'unknown')}")


async def _ended(api: AsyncClient, display: Display) -> dict[str, Any]:
    """Follows the newest scan: this one, or a later one that replaced it."""
    async with aclosing(looks(api, ["scan"], PAUSE)) as changes:
        async for _ in changes:
            scan = answer_of(await api.get("/articles/scan"))
            if scan["status"] not in IN_PROGRESS:
                return scan
            display.show(Text(_line(scan)), _line(scan))
    raise AssertionError("the looks never end")


async def _all_articles_ended(api: AsyncClient, display: Display) -> None:
    """The scan's end is projected after its last submission, so every article is visible by now: to a read, a moment
    later to the stream. So only a read says that none is left."""
    async with aclosing(looks(api, ["article"], PAUSE)) as changes:
        async for counts in changes:
            if counts and counts.articles.open_count:
                left, waiting_for = counts.articles.open_count, counts.articles.waiting_for
                waiting = waiting_line(waiting_for.model_dump(mode="json")) if waiting_for else None
            elif left := sum([await _count(api, status) for status in IN_PROGRESS]):
                waiting = waiting_line(answer_of(await api.get("/worker/status")).get("waiting_for"))
            else:
                return
            line = f"{left:,} articles in progress" + (f"; waiting: {waiting}" if waiting else "")
            display.show(Text(line), line)


async def _count(api: AsyncClient, status: str) -> int:
    return int(answer_of(await api.get("/articles", status=status, limit=1))["total_count"])


def _line(scan: dict[str, Any]) -> str:
    line = f"{scan['scan']} {scan['status']}: {scan['seen']:,} articles seen, {scan['submitted']:,} submitted"
    waiting = waiting_line(scan.get("waiting_for"))
    return one_line(line + (f"; waiting: {waiting}" if waiting else ""))
