"""When a watching command looks again: on events, and every so often without them."""

import asyncio
import io
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from eventually import eventually
from rich.console import Console
from servers.scripted_api import ScriptedApi

from topicflow.actions import changes
from topicflow.actions.changes import looks
from topicflow.actions.status import watch_status
from topicflow.client import AsyncClient, Counts, Unreachable

PAUSE = 0.05  # seconds


async def _until(ticks: AsyncGenerator[Counts | None, None], completed: int) -> None:
    async for counts in ticks:
        if counts and counts.topics.completed_count == completed:
            return


async def test_it_looks_at_once_and_then_when_something_has_changed(scripted: ScriptedApi, client: AsyncClient) -> None:
    (key,) = scripted.add("Raft")
    async with aclosing(looks(client, ["topic"], PAUSE)) as ticks:
        assert await anext(ticks) is None
        await _until(ticks, completed=0)
        scripted.end(key)
        await _until(ticks, completed=1)
    await eventually(lambda: scripted.open_streams == 0, within=5)


async def test_many_changes_are_one_look(scripted: ScriptedApi, client: AsyncClient) -> None:
    ids = scripted.add(*(f"topic {n}" for n in range(50)))
    async with aclosing(looks(client, (), 0.3)) as ticks:
        await _until(ticks, completed=0)
        for key in ids:
            scripted.end(key)
        counts = await anext(ticks)
    assert counts
    assert counts.topics.completed_count == 50


async def test_it_looks_now_and_then_although_nothing_changes(
    scripted: ScriptedApi, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LONGEST_PAUSE", 0.2)
    async with aclosing(looks(client, (), PAUSE)) as ticks:
        await _until(ticks, completed=0)
        started_at = time.monotonic()
        assert await anext(ticks)
        assert await anext(ticks)
        assert time.monotonic() - started_at >= 0.2


async def test_without_a_stream_it_looks_every_so_often(scripted: ScriptedApi, client: AsyncClient) -> None:
    scripted.stream = "missing"
    async with aclosing(looks(client, (), PAUSE)) as ticks:
        assert [await anext(ticks) for _ in range(5)] == [None] * 5
    assert len(scripted.followed) == 1


async def test_a_stream_that_is_lost_is_found_again(
    scripted: ScriptedApi, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LONGEST_PAUSE", 0.2)
    async with aclosing(looks(client, (), PAUSE)) as ticks:
        await eventually(lambda: anext(ticks), within=5)
        scripted.refuses["/events"] = (502, {})
        scripted.cut()

        async def has_no_counts() -> bool:
            return await anext(ticks) is None

        await eventually(has_no_counts, within=5)
        scripted.refuses.clear()
        await eventually(lambda: anext(ticks), within=5)


async def test_a_watched_status_shows_each_change_and_an_api_that_is_gone(
    scripted: ScriptedApi, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("topicflow.actions.status.REFRESH_SECONDS", PAUSE)
    monkeypatch.setattr("topicflow.views.display.MIN_INTERVAL", 0)
    monkeypatch.setattr(changes, "LONGEST_PAUSE", 0.2)
    (key,) = scripted.add("Raft")
    out = io.StringIO()
    watching = asyncio.create_task(watch_status(client, Console(file=out, width=250)))
    await eventually(lambda: "1 pending, 0 processing, 0 completed" in out.getvalue(), within=5)
    scripted.end(key)
    await eventually(lambda: "0 pending, 0 processing, 1 completed" in out.getvalue(), within=5)
    scripted.stop()
    await eventually(lambda: "nothing answers at" in out.getvalue(), within=5)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_an_api_that_is_not_there_at_first_ends_the_watch(scripted: ScriptedApi, client: AsyncClient) -> None:
    scripted.stop()
    with pytest.raises(Unreachable):
        await watch_status(client, Console(file=io.StringIO()))
