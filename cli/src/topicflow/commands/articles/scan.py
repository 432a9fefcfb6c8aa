"""`topicflow articles scan`: submits all catalogue articles that are not enriched yet; --wait follows them."""

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.text import Text

from local_processes.plain_text import one_line
from topicflow.actions.system_state import waiting_line
from topicflow.client.api import ApiClient, answer_of
from topicflow.errors import Failed, Interrupted
from topicflow.options import JsonOption, UrlOption, api_at
from topicflow.views.display import Display, console_for, display_on

POLL_INTERVAL = 0.5  # seconds
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
                    scan = await _ended(api, scan, display)
                    await _all_articles_ended(api, display)
        except asyncio.CancelledError as interruption:
            raise Interrupted("interrupted; the work continues, see `topicflow articles list`") from interruption
        typer.echo(json.dumps(scan, ensure_ascii=False) if as_json else _line(scan))
        if wait and (failed := await _count(api, "failed") - failed_before) > 0:
            raise Failed(f"{failed} articles failed: topicflow articles list --status failed")
    if scan["status"] == "failed":
        raise Failed(f"{one_line(scan['scan'])} failed: {one_line(scan['error_message'] or 'unknown')}")


async def _ended(api: ApiClient, scan: dict[str, Any], display: Display) -> dict[str, Any]:
    """Follows this scan, or a later one that replaced it."""
    while scan["status"] in IN_PROGRESS:
        display.show(Text(_line(scan)), _line(scan))
        await asyncio.sleep(POLL_INTERVAL)
        scan = answer_of(await api.get("/articles/scan"))
    return scan


async def _all_articles_ended(api: ApiClient, display: Display) -> None:
    """The scan's end is projected after its last submission, so every article is visible by now."""
    while left := sum([await _count(api, status) for status in IN_PROGRESS]):
        waiting = waiting_line(answer_of(await api.get("/worker/status")).get("waiting_for"))
        line = f"{left:,} articles in progress" + (f"; waiting: {waiting}" if waiting else "")
        display.show(Text(line), line)
        await asyncio.sleep(POLL_INTERVAL)


async def _count(api: ApiClient, status: str) -> int:
    return int(answer_of(await api.get("/articles", status=status, limit=1))["total_count"])


def _line(scan: dict[str, Any]) -> str:
    line = f"{scan['scan']} {scan['status']}: {scan['seen']:,} articles seen, {scan['submitted']:,} submitted"
    waiting = waiting_line(scan.get("waiting_for"))
    return one_line(line + (f"; waiting: {waiting}" if waiting else ""))
