"""The calls of the client: any number of submissions, lists page by page, typed answers, and errors."""

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import Any

import pytest
from servers.scripted_api import ScriptedApi

from shared.ids import topic_id
from topicflow import client as public
from topicflow.client import AsyncClient, Failed, NotFound, ServiceUnavailable, Unreachable, WrongUse
from topicflow.client.filters import SubmissionFilters, TopicFilters

OPENAPI = json.loads((Path(__file__).parents[4] / "docs/openapi.json").read_text())


async def test_any_number_of_titles_is_one_result(scripted: ScriptedApi, client: AsyncClient) -> None:
    scripted.add("title 7")
    submitted = await client.submit_topics([f"title {n}" for n in range(1100)], batch_size=3)
    assert [len(body["topics"]) for body in scripted.bodies] == [500, 500, 100]
    assert {body["batch_size"] for body in scripted.bodies} == {3}
    assert (submitted.total_topics, submitted.saved_topics, submitted.skipped_topics) == (1100, 1099, 1)
    assert submitted.skipped_titles == ("title 7",)
    assert [topic.title for topic in submitted.topics] == [f"title {n}" for n in range(1100)]
    assert {topic.attempt for topic in submitted.topics} == {1}


async def test_a_topic_is_found_by_title_and_by_id(scripted: ScriptedApi, client: AsyncClient) -> None:
    (key,) = scripted.add("Raft")
    assert (await client.topic("  raft ")).id == (await client.topic(key)).id == key
    with pytest.raises(NotFound, match="no such topic"):
        await client.topic("Paxos")


async def test_a_list_is_read_page_by_page_and_no_further_than_needed(
    scripted: ScriptedApi, client: AsyncClient
) -> None:
    ids = scripted.add(*(f"title {n}" for n in range(250)), status="failed")
    scripted.add("another")
    assert [topic.id async for topic in client.topics(status="failed")] == ids
    assert scripted.reads == ["/topics"] * 3
    assert [topic.id async for topic in client.topics(status="failed", limit=120)] == ids[:120]
    scripted.reads.clear()
    async with aclosing(client.topics(created_from=datetime(2026, 1, 1, tzinfo=UTC), simulated=True)) as topics:
        assert (await anext(topics)).id == ids[0]
    assert scripted.reads == ["/topics"]


async def test_a_retried_topic_can_be_waited_for(scripted: ScriptedApi, client: AsyncClient) -> None:
    (key,) = scripted.add("Raft", status="failed")
    again = await client.retry_topic("Raft")
    assert (again.id, again.attempt) == (key, 2)
    scripted.end(key)
    assert [topic.status for topic in await client.wait_for_topics([again])] == ["completed"]


async def test_an_answer_of_something_else_is_unreachable(scripted: ScriptedApi, client: AsyncClient) -> None:
    (key,) = scripted.add("Raft")
    scripted.topics[key] |= {"title": None}
    with pytest.raises(Unreachable, match="not answered by topicflow"):
        await client.topic(key)


async def test_what_the_api_refuses_is_raised(scripted: ScriptedApi, client: AsyncClient) -> None:
    for status, error in ((422, WrongUse), (500, Failed)):
        scripted.refuses["/topics"] = (status, {})
        with pytest.raises(error, match=f"refused with {status}"):
            await client.submit_topics(["Raft"])
    scripted.refuses["/topics"] = (503, {"Retry-After": "3600"})
    with pytest.raises(ServiceUnavailable) as caught:
        await client.submit_topics(["Raft"])
    assert caught.value.retry_after == 3600


async def test_waits_run_side_by_side(scripted: ScriptedApi, client: AsyncClient) -> None:
    first, second = await asyncio.gather(client.submit_topics(["Raft"]), client.submit_topics(["Paxos"]))
    waits = asyncio.gather(client.wait_for_topics(first.topics), client.wait_for_topics(second.topics))
    scripted.end(topic_id("Raft"), topic_id("Paxos"))
    assert [topic.title for topics in await waits for topic in topics] == ["Raft", "Paxos"]


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        ("Topic", "OneTopic"),
        ("Article", "OneArticle"),
        ("Scan", "ScanNow"),
        ("ProcessingStatus", "ProcessingStatus"),
        ("TopicsSubmitted", "TopicsSubmitted"),
        ("ArticlesSubmitted", "ArticlesSubmitted"),
        ("SubmittedTopic", "TopicNow"),
        ("SubmittedTopic", "Retried"),
        ("SubmittedArticle", "ArticleNow"),
        ("WaitingFor", "WaitingFor"),
        ("Failure", "Failure"),
        ("SubmissionState", "ChangedSubmission"),
        ("KindCounts", "KindCounts"),
        ("Counts", "Counts"),
        ("Snapshot", "Snapshot"),
        ("Changes", "Changed"),
        ("Resync", "Resync"),
    ],
)
def test_the_models_have_fields_of_the_documented_answers(model: str, schema: str) -> None:
    documented: dict[str, Any] = OPENAPI["components"]["schemas"][schema]["properties"]
    for name, field in getattr(public, model).model_fields.items():
        assert name in documented
        may_be_null = {"type": "null"} in documented[name].get("anyOf", [])
        is_optional = isinstance(field.annotation, UnionType) and type(None) in field.annotation.__args__
        assert is_optional or not may_be_null, f"{name} may be null"


@pytest.mark.parametrize(("path", "filters"), [("topics", TopicFilters), ("articles", SubmissionFilters)])
def test_every_documented_filter_can_be_given(path: str, filters: type) -> None:
    parameters = OPENAPI["paths"][f"/api/v1/{path}"]["get"]["parameters"]
    documented = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    assert documented - {"limit", "cursor", "offset"} == filters.__annotations__.keys()


async def test_one_text_is_not_taken_for_its_letters(scripted: ScriptedApi, client: AsyncClient) -> None:
    with pytest.raises(WrongUse, match="a list of titles"):
        await client.submit_topics("Raft")
    assert scripted.bodies == []
