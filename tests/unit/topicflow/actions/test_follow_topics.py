"""The progress lines of submitted topics, and what they say they wait for."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from servers.scripted_api import ScriptedApi

from topicflow.actions.follow_topics import FollowedTopics
from topicflow.client import AsyncClient, SubmittedTopic, Unreachable
from topicflow.views.progress import ProgressLine


async def _followed(client: AsyncClient, count: int) -> FollowedTopics:
    return FollowedTopics(client, (await client.submit_topics([f"topic {n}" for n in range(count)])).topics)


async def _last(followed: FollowedTopics, patience: float = 60) -> ProgressLine:
    lines = [line async for line in followed.progress(patience)]
    assert lines[-1].is_over
    return lines[-1]


async def _until(lines: AsyncGenerator[ProgressLine, None], waiting: str | None) -> None:
    async for line in lines:
        if line.waiting == waiting:
            return


@pytest.mark.parametrize("stream", ["events", "missing"])
async def test_topics_of_others_do_not_count(scripted: ScriptedApi, client: AsyncClient, stream: str) -> None:
    scripted.stream = stream  # type: ignore[assignment]
    scripted.end(*scripted.add(*(f"other {n}" for n in range(100))))
    followed = await _followed(client, 30)
    scripted.end(*scripted.topics)
    assert (await _last(followed)).line == "30 of 30 completed"


async def test_failed_and_removed_topics_are_counted_separately(scripted: ScriptedApi, client: AsyncClient) -> None:
    followed = await _followed(client, 30)
    ids = list(scripted.topics)
    scripted.end(ids[7], status="failed")
    scripted.end(*(key for key in ids if key not in (ids[3], ids[7])))
    scripted.remove(ids[3])
    assert (await _last(followed)).line == "28 of 30 completed, 1 failed, 1 removed"
    assert [topic.id for topic in followed.failures] == [ids[7]]
    assert followed.failure_lines(10) == ["failed: topic 7: a bad title"]


async def test_what_was_completed_before_does_not_count_for_the_pace(
    scripted: ScriptedApi, client: AsyncClient
) -> None:
    scripted.end(*scripted.add("topic 0", "topic 1"))
    followed = await _followed(client, 4)
    async with aclosing(followed.progress(60)) as lines:
        first = await anext(lines)
        assert (first.completed, first.finished_here, first.pace) == (2, 0, "")
        scripted.end(list(scripted.topics)[2])
        second = await anext(lines)
        assert (second.completed, second.finished_here) == (3, 1)
        assert second.pace


@pytest.mark.parametrize("stream", ["events", "missing"])
async def test_it_says_what_open_topics_wait_for(scripted: ScriptedApi, client: AsyncClient, stream: str) -> None:
    scripted.stream, scripted.live_workers = stream, 0  # type: ignore[assignment]
    followed = await _followed(client, 1)
    async with aclosing(followed.progress(60)) as lines:
        await _until(lines, "no worker is running")
        scripted.live_workers = 1
        scripted.waiting_for = {"reason": "quota", "since": "2026-03-01T10:00:00Z", "message": "of the day"}
        scripted.cut()
        async for line in lines:
            if (line.waiting or "").startswith("quota, since 2026-03-01"):
                break
        scripted.end(*scripted.topics)
        assert [line.waiting async for line in lines if line.is_over] == [None]


@pytest.mark.parametrize("stream", ["events", "missing"])
async def test_a_short_outage_of_the_api_is_tolerated_and_shown(
    scripted: ScriptedApi, client: AsyncClient, stream: str
) -> None:
    scripted.stream = stream  # type: ignore[assignment]
    followed = await _followed(client, 1)
    async with aclosing(followed.progress(60)) as lines:
        await _until(lines, None)
        scripted.refuses |= dict.fromkeys(("/events", "/processing-status"), (502, {}))
        scripted.cut()
        await _until(lines, "the API does not answer")
        scripted.refuses.clear()
        await _until(lines, None)
        scripted.end(*scripted.topics)
        assert [line.line async for line in lines][-1] == "1 of 1 completed"


async def test_a_long_outage_of_the_api_ends_the_wait(scripted: ScriptedApi, client: AsyncClient) -> None:
    followed = await _followed(client, 1)
    scripted.refuses |= dict.fromkeys(("/events", "/processing-status"), (502, {}))
    with pytest.raises(Unreachable):
        await _last(followed, patience=-1)


async def test_nothing_to_follow_is_over_at_once(client: AsyncClient) -> None:
    assert (await _last(FollowedTopics(client, []))).line == "0 of 0 completed"


async def test_a_topic_of_an_older_server_is_followed_too(scripted: ScriptedApi, client: AsyncClient) -> None:
    scripted.stream = "missing"
    (key,) = scripted.add("Raft", status="completed")
    assert (
        await _last(FollowedTopics(client, [SubmittedTopic(id=key, title="Raft", status="pending")]))
    ).completed == 1
