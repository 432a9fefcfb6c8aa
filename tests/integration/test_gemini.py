"""What Gemini's moods mean: the real client over HTTP, each error as what must be done about it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from servers import GeminiStandIn, free_port

from shared.doubts import SEVERAL
from shared.errors import Doubtful, KeyRefused, RateLimited, Refused, TopicflowError, Unavailable
from shared.llm import Answer, Gemini
from topic_worker.topic import answer_schema

TIMEOUT = 0.5  # seconds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GeminiStandIn]:
    stand_in = GeminiStandIn(tmp_path_factory.mktemp("gemini"))
    stand_in.start()
    yield stand_in
    stand_in.end()


@pytest.fixture
def stand_in(server: GeminiStandIn) -> GeminiStandIn:
    server.forget_moods()
    server.take(0)
    return server


def client_of(url: str) -> Gemini:
    return Gemini(api_key="k", model="gemini-2.5-flash", base_url=url, timeout_seconds=TIMEOUT)


@pytest.fixture
async def gemini(stand_in: GeminiStandIn) -> AsyncIterator[Gemini]:
    client = client_of(stand_in.url)
    yield client
    await client.close()


async def ask(gemini: Gemini, title: str) -> Answer | TopicflowError:
    try:
        return await gemini.generate(
            instructions="Write cards.", data=json.dumps([{"id": "1", "title": title}]), schema=answer_schema()
        )
    except TopicflowError as error:
        return error


# mood, its scope, what a call ends in, whether Gemini was probed
@pytest.mark.parametrize(
    ("mood", "scope", "error", "probed"),
    [
        ("429", {"retry_after_seconds": 7}, RateLimited, False),
        ("503", {}, Unavailable, False),
        ("401", {}, KeyRefused, False),
        ("500", {}, Unavailable, True),
        ("500", {"title_contains": "victim"}, Doubtful, True),
        ("hang", {}, Unavailable, True),
        ("hang", {"title_contains": "victim"}, Doubtful, True),
        ("reset", {}, Unavailable, True),
        ("reset", {"title_contains": "victim"}, Doubtful, True),
    ],
)
async def test_each_error_is_what_must_be_done_about_it(
    gemini: Gemini, stand_in: GeminiStandIn, mood: str, scope: dict[str, Any], error: type[Exception], probed: bool
) -> None:
    stand_in.tell(mood, **scope)
    before = stand_in.calls["probes"]
    found = await ask(gemini, "The victim")
    assert type(found) is error
    assert (stand_in.calls["probes"] > before) is probed
    if isinstance(found, RateLimited):
        assert found.retry_after == 7


async def test_nobody_there_is_an_outage_at_once() -> None:
    gemini = client_of(f"http://127.0.0.1:{free_port()}")
    found = await ask(gemini, "Anything")
    await gemini.close()
    assert type(found) is Unavailable
    assert "cannot be reached" in str(found)


async def test_what_others_are_answered_meanwhile_makes_a_timeout_its_own(
    gemini: Gemini, stand_in: GeminiStandIn
) -> None:
    stand_in.tell("hang", title_contains="victim")
    before = stand_in.calls["probes"]
    victim, other = await asyncio.gather(ask(gemini, "The victim"), ask(gemini, "Another"))
    assert type(victim) is Doubtful
    assert isinstance(other, Answer)
    assert stand_in.calls["probes"] == before


async def test_several_in_a_row_are_an_outage_although_a_probe_is_answered(
    gemini: Gemini, stand_in: GeminiStandIn
) -> None:
    stand_in.tell("500", title_contains="victim")
    found = [await ask(gemini, f"Victim {n}") for n in range(SEVERAL)]
    assert [type(error) for error in found] == [Doubtful] * (SEVERAL - 1) + [Unavailable]
    assert isinstance(await ask(gemini, "Another"), Answer)
    assert type(await ask(gemini, "Victim 0")) is Doubtful


async def test_a_request_that_it_does_not_understand_is_refused_for_good(gemini: Gemini) -> None:
    with pytest.raises(Refused, match="400"):
        await gemini.generate(instructions="Write cards.", data="no JSON", schema=answer_schema())
