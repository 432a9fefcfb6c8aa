"""The event stream: typed events, and connections that are made again."""

import asyncio
from contextlib import aclosing

import pytest
from eventually import eventually
from servers.scripted_api import ScriptedApi
from starlette.responses import HTMLResponse

from topicflow.client import (
    AsyncClient,
    Changes,
    NoEventStream,
    NotAllowed,
    Resync,
    SilentStream,
    Snapshot,
    Unreachable,
    WrongUse,
)
from topicflow.client.following import event_stream


async def test_a_snapshot_comes_first_and_then_the_changes(scripted: ScriptedApi, client: AsyncClient) -> None:
    raft, paxos = scripted.add("Raft\u2028 — 日本", "Paxos")
    async with aclosing(client.events(["topic"], [raft])) as events:
        first = await anext(events)
        assert isinstance(first, Snapshot)
        assert [(state.name, state.status) for state in first.submissions] == [("Raft\u2028 — 日本", "pending")]
        assert (first.counts.topics.open_count, first.processing_status.pending_count) == (2, 2)
        scripted.end(paxos, raft)
        second = await anext(events)
        assert isinstance(second, Changes)
        assert [(state.id, state.status) for state in second.submissions] == [(raft, "completed")]
        at = second.submissions[0].at
        assert at
        assert at.tzinfo
        scripted.forget_changes()
        assert isinstance(await anext(events), Resync)
    await eventually(lambda: scripted.open_streams == 0, within=5)


@pytest.mark.parametrize("cleanly", [True, False])
async def test_after_a_cut_it_goes_on_after_the_last_event(
    scripted: ScriptedApi, client: AsyncClient, cleanly: bool
) -> None:
    ids = scripted.add("Raft", "Paxos")
    async with aclosing(client.events()) as events:
        await anext(events)
        scripted.end(ids[0])
        await anext(events)
        scripted.cut(cleanly=cleanly)
        scripted.end(ids[1])
        changes = await anext(events)
    assert isinstance(changes, Changes)
    assert [state.id for state in changes.submissions] == [ids[1]]
    assert scripted.cursors[0] is None
    assert scripted.cursors[-1] == "1"


async def test_a_stream_begins_after_a_given_event(scripted: ScriptedApi, client: AsyncClient) -> None:
    ids = scripted.add("Raft", "Paxos")
    scripted.end(*ids)
    async with aclosing(client.events(last_event_id="1")) as events:
        changes = await anext(events)
    assert isinstance(changes, Changes)
    assert [state.id for state in changes.submissions] == [ids[1]]


async def test_an_api_that_stays_away_is_reported_when_patience_is_over(scripted: ScriptedApi) -> None:
    async with AsyncClient(scripted.url) as client, aclosing(client.events(patience=0.2)) as events:
        await anext(events)
        scripted.stop()
        with pytest.raises(Unreachable, match="nothing answers"):
            await anext(events)


@pytest.mark.parametrize(
    ("status", "error"), [(401, NotAllowed), (403, NotAllowed), (422, WrongUse), (404, NoEventStream)]
)
async def test_a_refusal_is_raised_at_once(
    scripted: ScriptedApi, client: AsyncClient, status: int, error: type[Exception]
) -> None:
    scripted.refuses["/events"] = (status, {})
    with pytest.raises(error, match=f"refused with {status}"):
        await anext(client.events(patience=60))
    assert scripted.reads == ["/events"]


async def test_a_busy_api_is_asked_again(scripted: ScriptedApi, client: AsyncClient) -> None:
    scripted.refuses["/events"] = (503, {"Retry-After": "0.01"})
    events = client.events()
    first = asyncio.ensure_future(anext(events))
    await eventually(lambda: scripted.reads, within=5)
    scripted.refuses.clear()
    assert isinstance(await first, Snapshot)
    await events.aclose()


@pytest.mark.parametrize("stream", ["page", "ends_at_once", "held"])
async def test_what_is_no_stream_is_named(
    scripted: ScriptedApi, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    monkeypatch.setattr(event_stream, "SILENCE", 0.1)
    scripted.stream = stream  # type: ignore[assignment]
    with pytest.raises(NoEventStream):
        await anext(client.events())


async def test_a_stream_that_falls_silent_is_opened_again(
    scripted: ScriptedApi, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "SILENCE", 0.1)
    scripted.stream = "held_after_snapshot"
    async with aclosing(client.events(patience=0.5)) as events:
        assert isinstance(await anext(events), Snapshot)
        with pytest.raises(SilentStream):
            await anext(events)
    assert len(scripted.cursors) > 2
    assert set(scripted.cursors[1:]) == {"0"}


@pytest.mark.parametrize("status", [200, 404, 500, 502])
async def test_a_page_of_a_proxy_ends_no_stream_that_had_begun(
    scripted: ScriptedApi, client: AsyncClient, status: int
) -> None:
    async with aclosing(client.events()) as events:
        await anext(events)
        scripted.interludes.append(HTMLResponse("<html>", status))
        scripted.cut()
        going_on = asyncio.ensure_future(anext(events))
        await eventually(lambda: not scripted.interludes, within=5)
        scripted.end(*scripted.add("Raft"))
        changes = await asyncio.wait_for(going_on, 20)
    assert [state.name for state in changes.submissions] == ["Raft"]  # type: ignore[union-attr]
