"""Waiting for many topics: over event streams, by polling where there are none, and through outages."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest
from eventually import eventually
from servers.scripted_api import ScriptedApi
from starlette.responses import HTMLResponse, JSONResponse

from topicflow.client import AsyncClient, NotAllowed, SubmittedTopic, Unreachable, WaitProgress
from topicflow.client.following import event_stream, states, waiting
from topicflow.client.following.patience import Patience
from topicflow.client.reading import read_each

NO_STREAM = ["missing", "page", "held", "held_wholly", "ends_at_once", "full", "held_after_snapshot"]
BUSY = JSONResponse({"detail": "the rate limit of this API key is 100"}, 429, {"Retry-After": "0"})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "RETRY", 0.01)
    monkeypatch.setattr(states, "SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(states, "LONGEST_PAUSE", 0.05)


async def _submit(client: AsyncClient, count: int) -> Sequence[SubmittedTopic]:
    return (await client.submit_topics([f"topic {n}" for n in range(count)])).topics


async def _end(progress: AsyncGenerator[WaitProgress, None], open_count: int) -> list[str]:
    """The ids that ended until no more than `open_count` are open."""
    ended = []
    async with asyncio.timeout(20):
        async for now in progress:
            ended += [state.id for state in now.ended]
            if now.open_count <= open_count:
                break
    return ended


@pytest.mark.parametrize("stream", ["events", *NO_STREAM])
async def test_each_topic_is_reported_once_as_it_ends(
    scripted: ScriptedApi, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    if stream.startswith("held"):
        monkeypatch.setattr(event_stream, "SILENCE", 0.2)
    scripted.stream = stream  # type: ignore[assignment]
    ids = [topic.id for topic in await _submit(client, 5)]
    others = scripted.add("of somebody else")
    async with aclosing(client.as_they_end(await _submit(client, 5))) as ends:
        scripted.end(*others, ids[3])
        assert (await anext(ends)).id == ids[3]
        scripted.end(ids[0], status="failed")
        failed = await anext(ends)
        assert (failed.id, failed.status, failed.name, failed.error_message) == (
            ids[0],
            "failed",
            "topic 0",
            "a bad title",
        )
        scripted.end(ids[1], ids[2], ids[4])
        assert {(await anext(ends)).id for _ in range(3)} == {ids[1], ids[2], ids[4]}
        assert await anext(ends, None) is None
    await eventually(lambda: scripted.open_streams == 0, within=5)


@pytest.mark.parametrize("stream", ["events", "missing"])
async def test_the_final_states_have_the_cards_in_the_order_of_submission(
    scripted: ScriptedApi, client: AsyncClient, stream: str
) -> None:
    scripted.stream = stream  # type: ignore[assignment]
    topics = await _submit(client, 3)
    for topic in topics:
        scripted.topics[topic.id]["content"] = {"description": topic.title}
    scripted.end(*(topic.id for topic in reversed(topics)))
    final = await client.wait_for_topics(topics)
    assert [topic.title for topic in final] == ["topic 0", "topic 1", "topic 2"]
    assert [topic.content for topic in final] == [{"description": topic.title} for topic in topics]


async def test_what_had_ended_before_is_in_the_first_progress(scripted: ScriptedApi, client: AsyncClient) -> None:
    topics = await _submit(client, 3)
    scripted.end(topics[0].id, topics[2].id)
    async with aclosing(client.follow(topics)) as progress:
        first = await anext(progress)
    assert [state.id for state in first.ended] == [topics[0].id, topics[2].id]
    assert first.open_count == 1
    assert first.counts
    assert (first.counts.completed_count, first.counts.live_workers) == (2, 1)


async def test_no_topics_have_ended_at_once(client: AsyncClient) -> None:
    assert [now async for now in client.follow([])] == [WaitProgress((), 0)]
    assert await client.wait_for_topics([]) == []


@pytest.mark.parametrize("stream", ["events", "missing"])
async def test_the_end_of_an_earlier_attempt_is_not_the_end(
    scripted: ScriptedApi, client: AsyncClient, stream: str
) -> None:
    scripted.stream = stream  # type: ignore[assignment]
    (key,) = scripted.add("Raft", status="completed", attempt=1)
    again = SubmittedTopic(id=key, title="Raft", status="pending", attempt=2)
    async with aclosing(client.follow([again])) as progress:
        assert (await anext(progress)).ended == ()
        scripted.end(key, attempt=2)
        assert await _end(progress, 0) == [key]


@pytest.mark.parametrize("lag", [None, 60.0])
async def test_without_an_attempt_nothing_is_believed_before_the_submission_is_projected(
    scripted: ScriptedApi, client: AsyncClient, lag: float | None
) -> None:
    """An older server, which has no event stream either."""
    scripted.stream, scripted.names_attempts, scripted.lag = "missing", False, lag
    (key,) = scripted.add("Raft", status="failed")
    topics = (await client.submit_topics(["Raft"])).topics
    assert topics[0].attempt is None
    ends = asyncio.create_task(client.wait_for_topics(topics))
    await eventually(lambda: scripted.reads.count("/processing-status") > 3, within=5)
    assert f"/topics/{key}" not in scripted.reads
    scripted.end(key)
    scripted.lag = 0.0
    assert [topic.status for topic in await ends] == ["completed"]


@pytest.mark.parametrize("stream", ["events", "missing"])
async def test_a_removed_topic_ends_the_wait_for_it(scripted: ScriptedApi, client: AsyncClient, stream: str) -> None:
    scripted.stream = stream  # type: ignore[assignment]
    topics = await _submit(client, 2)
    async with aclosing(client.follow(topics)) as progress:
        await anext(progress)
        scripted.remove(topics[1].id)
        assert await _end(progress, 1) == [topics[1].id]
    scripted.end(topics[0].id)
    assert [topic.status for topic in await client.wait_for_topics(topics)] == ["completed", "removed"]


async def test_a_topic_that_is_not_projected_yet_is_not_removed(scripted: ScriptedApi, client: AsyncClient) -> None:
    scripted.stream, scripted.lag = "missing", 60.0
    topics = await _submit(client, 1)
    row = scripted.topics.pop(topics[0].id)
    async with aclosing(client.follow(topics)) as progress:
        for _ in range(3):
            assert (await anext(progress)).ended == ()
        scripted.topics[topics[0].id] = row
        scripted.lag = 0.0
        scripted.end(topics[0].id)
        assert await _end(progress, 0) == [topics[0].id]


async def test_after_a_resync_the_topics_are_read_again(scripted: ScriptedApi, client: AsyncClient) -> None:
    topics = await _submit(client, 3)
    async with aclosing(client.follow(topics)) as progress:
        await anext(progress)
        for topic in topics[:2]:
            scripted.topics[topic.id]["status"] = "completed"  # and no event tells it
        scripted.forget_changes()
        assert set(await _end(progress, 1)) == {topics[0].id, topics[1].id}
        scripted.end(topics[2].id)
        assert await _end(progress, 0) == [topics[2].id]
    assert len(scripted.followed) == 1


async def test_after_a_resync_a_topic_that_is_not_projected_yet_is_not_removed(
    scripted: ScriptedApi, client: AsyncClient
) -> None:
    topics = await _submit(client, 2)
    scripted.lag = 60.0
    late = scripted.topics.pop(topics[1].id)
    async with aclosing(client.follow(topics)) as progress:
        assert (await anext(progress)).ended == ()
        scripted.forget_changes()
        await eventually(lambda: scripted.reads.count("/processing-status") > 2, within=5)
        scripted.topics[topics[1].id] = late
        scripted.lag = 0.0
        scripted.end(*(topic.id for topic in topics))
        assert set(await _end(progress, 0)) == {topic.id for topic in topics}
    assert [topic.status for topic in await client.wait_for_topics(topics)] == ["completed", "completed"]


async def test_many_topics_are_followed_with_few_streams_and_no_reads(
    scripted: ScriptedApi, client: AsyncClient
) -> None:
    topics = await _submit(client, 1500)
    scripted.reads.clear()
    async with aclosing(client.follow(topics)) as progress:
        await anext(progress)
        for start in range(0, 1500, 50):
            scripted.end(*(topic.id for topic in topics[start : start + 50]))
        assert sorted(await _end(progress, 0)) == sorted(topic.id for topic in topics)
    assert set(scripted.reads) == {"/events"}
    assert max(map(len, scripted.followed)) <= event_stream.MAX_IDS
    assert scripted.most_open_streams <= waiting.MAX_FOLLOWED_AT_ONCE + 2  # the server notices a closed one later


@pytest.mark.parametrize("stream", ["events", "missing"])
async def test_stuck_topics_never_hide_the_others(
    scripted: ScriptedApi, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    """More of them than are followed at once, and submitted first."""
    monkeypatch.setattr(waiting, "ROTATE_AFTER", 0.2)
    monkeypatch.setattr(waiting, "MAX_FOLLOWED_AT_ONCE", 2)
    scripted.stream = stream  # type: ignore[assignment]
    topics = await _submit(client, 350)
    scripted.end(*(topic.id for topic in topics[300:]))
    async with aclosing(client.follow(topics)) as progress:
        assert set(await _end(progress, 300)) == {topic.id for topic in topics[300:]}
        scripted.end(*(topic.id for topic in topics[:300]))
        assert set(await _end(progress, 0)) == {topic.id for topic in topics[:300]}


async def test_a_hundred_of_which_half_have_ended_makes_room_for_others(
    scripted: ScriptedApi, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAX_FOLLOWED_AT_ONCE", 1)
    topics = await _submit(client, 150)
    ids = [topic.id for topic in topics]
    async with aclosing(client.follow(topics)) as progress:
        await anext(progress)
        scripted.end(*ids[:50])
        await _end(progress, 100)
        await eventually(lambda: len(scripted.followed) == 2, within=5)
        scripted.end(*ids[50:])
        await _end(progress, 0)
    assert scripted.followed == [ids[:100], ids[100:] + ids[50:100]]


@pytest.mark.parametrize("cleanly", [True, False])
async def test_a_stream_that_is_cut_is_opened_again_and_nothing_is_missed(
    scripted: ScriptedApi, client: AsyncClient, cleanly: bool
) -> None:
    topics = await _submit(client, 2)
    async with aclosing(client.follow(topics)) as progress:
        await anext(progress)
        scripted.cut(cleanly=cleanly)
        scripted.end(topics[0].id)
        assert await _end(progress, 1) == [topics[0].id]
        scripted.cut(cleanly=cleanly)
        scripted.end(topics[1].id)
        assert await _end(progress, 0) == [topics[1].id]
    assert f"/topics/{topics[0].id}" not in scripted.reads


async def test_polling_goes_on_where_a_stream_begins_and_then_falls_silent(
    scripted: ScriptedApi, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "SILENCE", 0.2)
    scripted.stream = "held_after_snapshot"
    topics = await _submit(client, 1)
    async with aclosing(client.follow(topics)) as progress:
        await anext(progress)
        scripted.end(topics[0].id)
        assert await _end(progress, 0) == [topics[0].id]
    assert len(scripted.followed) == 1


@pytest.mark.parametrize("stream", ["events", "missing"])
async def test_a_short_outage_is_tolerated_and_shown(scripted: ScriptedApi, client: AsyncClient, stream: str) -> None:
    scripted.stream = stream  # type: ignore[assignment]
    topics = await _submit(client, 1)
    paths = ("/events", f"/topics/{topics[0].id}", "/processing-status")
    async with aclosing(client.follow(topics)) as progress:
        assert (await anext(progress)).is_answered
        scripted.refuses |= dict.fromkeys(paths, (502, {}))
        scripted.cut()
        while (await anext(progress)).is_answered:
            pass
        scripted.refuses.clear()
        while not (await anext(progress)).is_answered:
            pass
        scripted.end(topics[0].id)
        assert await _end(progress, 0) == [topics[0].id]


@pytest.mark.parametrize("stream", ["events", "missing"])
async def test_a_long_outage_ends_the_wait(scripted: ScriptedApi, stream: str) -> None:
    scripted.stream = stream  # type: ignore[assignment]
    async with AsyncClient(scripted.url) as client:
        topics = await _submit(client, 1)
        async with aclosing(client.follow(topics, patience=0.2)) as progress:
            await anext(progress)
            scripted.stop()
            with pytest.raises(Unreachable):
                await _end(progress, 0)


async def test_a_refused_key_ends_the_wait_at_once(scripted: ScriptedApi, client: AsyncClient) -> None:
    scripted.refuses["/events"] = (403, {})
    with pytest.raises(NotAllowed):
        await client.wait_for_topics(await _submit(client, 300))


async def test_a_wait_ends_after_its_timeout(scripted: ScriptedApi, client: AsyncClient) -> None:
    topics = await _submit(client, 1)
    with pytest.raises(TimeoutError):
        await client.wait_for_topics(topics, timeout=0.1)
    await eventually(lambda: scripted.open_streams == 0, within=5)


async def test_the_final_states_of_many_are_read_within_the_rate_limit_of_the_key(
    scripted: ScriptedApi, client: AsyncClient
) -> None:
    topics = await _submit(client, 30)
    scripted.end(*(topic.id for topic in topics))
    scripted.stream = "missing"
    scripted.interludes += [BUSY] * 40
    assert [topic.status for topic in await client.wait_for_topics(topics)] == ["completed"] * 30
    assert scripted.interludes == []


@pytest.mark.parametrize("status", [404, 500, 502])
async def test_the_final_states_are_read_with_the_patience_of_the_wait(
    scripted: ScriptedApi, client: AsyncClient, status: int
) -> None:
    """A proxy answers for an API that is away; its 404 is not the API's."""
    topics = await _submit(client, 12)
    scripted.interludes += [HTMLResponse("<html>", status)] * 15
    read = await read_each(client, [topic.path for topic in topics], Patience(20))
    assert [answer["id"] if answer else None for answer in read] == [topic.id for topic in topics]
    assert scripted.interludes == []


async def test_a_rate_limit_is_not_shown_as_an_api_that_does_not_answer(
    scripted: ScriptedApi, client: AsyncClient
) -> None:
    scripted.stream = "missing"
    topics = await _submit(client, 5)
    scripted.interludes += [BUSY] * 20
    answered = []
    async with aclosing(client.follow(topics)) as progress:
        async for now in progress:
            answered.append(now.is_answered)
            if not scripted.interludes:
                scripted.end(*(topic.id for topic in topics))
    assert all(answered)
