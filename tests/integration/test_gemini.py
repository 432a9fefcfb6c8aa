"""The real client against faults of Gemini over HTTP: each error becomes the right exception."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from eventually import eventually
from servers import LOOPBACK, GeminiSimulator, free_port

from shared.errors import DailyQuota, Doubtful, KeyRefused, RateLimited, Refused, TopicflowError, Unavailable
from shared.llm.endpoint import Endpoint
from shared.llm.gemini import Answer, Gemini
from shared.llm.gemini_keys import Keys
from shared.llm.models import DEFAULT_MODEL
from shared.llm.quota_day import end_of_day
from shared.resilience.outage_detection import SEVERAL
from topic_worker.topic import answer_schema

TIMEOUT = 0.5  # seconds


def client_of(url: str, *keys: str, timeout: float = TIMEOUT, **more: Any) -> Gemini:
    options: dict[str, Any] = {"endpoint": Endpoint(url), "model": DEFAULT_MODEL, "calls": 30} | more
    return Gemini(keys=Keys(keys or ["k"]), timeout_seconds=timeout, **options)


@pytest.fixture
async def gemini(simulator: GeminiSimulator) -> AsyncIterator[Gemini]:
    client = client_of(simulator.url)
    yield client
    await client.close()


async def ask(gemini: Gemini, title: str) -> Answer | TopicflowError:
    try:
        return await gemini.generate(
            instructions="Write cards.", data=json.dumps([{"id": "1", "title": title}]), schema=answer_schema()
        )
    except TopicflowError as error:
        return error


async def test_calls_run_concurrently_up_to_the_limit_and_others_wait(
    simulator: GeminiSimulator,
) -> None:
    """The HTTP client's own limit is 100 connections."""
    gemini = client_of(simulator.url, calls=120, timeout=30)
    simulator.take(2)
    simulator.http.delete("/simulator/calls").raise_for_status()
    answers = await asyncio.gather(*(ask(gemini, f"Title {n}") for n in range(130)))
    assert {type(answer) for answer in answers} == {Answer}
    assert simulator.calls["most_in_flight"] == 120
    await gemini.close()


async def test_a_probe_works_while_all_calls_hang(simulator: GeminiSimulator) -> None:
    gemini = client_of(simulator.url, calls=2, timeout=30)
    simulator.add_fault("hang", title_contains="Title", seconds=30)
    hanging = [asyncio.create_task(ask(gemini, f"Title {n}")) for n in range(4)]
    await eventually(lambda: simulator.calls["in_flight"] == 2, within=5)
    assert await asyncio.wait_for(gemini.is_simulated(), 2)
    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)
    await gemini.close()


async def test_concurrent_probes_do_not_wait_for_each_other(gemini: Gemini, simulator: GeminiSimulator) -> None:
    """As when all calls time out together: in sequence, some probes would exceed their timeout."""
    simulator.add_fault("hang", seconds=0.3)
    assert set(await asyncio.gather(*(gemini.is_simulated() for _ in range(30)))) == {True}


# fault, its scope, the error of a call, whether Gemini was probed
@pytest.mark.parametrize(
    ("fault", "scope", "error", "probed"),
    [
        ("429", {"retry_after_seconds": 7}, RateLimited, False),
        ("429", {"of_the_day": True, "retry_after_seconds": 7}, DailyQuota, False),
        ("503", {}, Unavailable, False),
        ("401", {}, KeyRefused, False),
        ("500", {}, Unavailable, True),
        ("500", {"title_contains": "victim"}, Doubtful, True),
        ("hang", {}, Unavailable, True),
        ("hang", {"title_contains": "victim"}, Doubtful, True),
        ("reset", {}, Unavailable, True),
        ("reset", {"title_contains": "victim"}, Doubtful, True),
        ("page", {}, Unavailable, True),
        ("page", {"title_contains": "victim"}, Doubtful, True),
    ],
)
async def test_each_error_becomes_the_right_exception(
    gemini: Gemini, simulator: GeminiSimulator, fault: str, scope: dict[str, Any], error: type[Exception], probed: bool
) -> None:
    simulator.add_fault(fault, **scope)
    before = simulator.calls["probes"]
    found = await ask(gemini, "The victim")
    assert type(found) is error
    assert (simulator.calls["probes"] > before) is probed
    if isinstance(found, RateLimited):
        assert found.retry_after == 7


async def test_an_unreachable_gemini_is_an_outage_at_once() -> None:
    gemini = client_of(f"http://127.0.0.1:{free_port()}")
    found = await ask(gemini, "Anything")
    await gemini.close()
    assert type(found) is Unavailable
    assert "cannot be reached" in str(found)


@pytest.mark.parametrize("fault", ["page", "503", "reset", "401"])
async def test_whether_gemini_is_simulated_is_unknown_until_it_answers(
    gemini: Gemini, simulator: GeminiSimulator, fault: str
) -> None:
    simulator.add_fault(fault)
    assert await gemini.is_simulated() is None
    simulator.forget_faults()
    assert await gemini.is_simulated() is True


@pytest.mark.parametrize(
    "response", ["302 Found\r\nLocation: /", "200 OK\r\nContent-Encoding: gzip"], ids=["redirects for ever", "no gzip"]
)
async def test_an_unreadable_answer_and_an_unreadable_probe_are_an_outage(response: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        writer.write(f"HTTP/1.1 {response}\r\nConnection: close\r\nContent-Length: 4\r\n\r\nnope".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, LOOPBACK, port := free_port())
    gemini = client_of(f"http://{LOOPBACK}:{port}")
    found = await ask(gemini, "Anything")
    await gemini.close()
    server.close()
    assert type(found) is Unavailable
    assert "cannot be read" in str(found)


async def test_a_timeout_while_other_calls_succeed_is_no_outage(gemini: Gemini, simulator: GeminiSimulator) -> None:
    simulator.add_fault("hang", title_contains="victim")
    before = simulator.calls["probes"]
    victim, other = await asyncio.gather(ask(gemini, "The victim"), ask(gemini, "Another"))
    assert type(victim) is Doubtful
    assert isinstance(other, Answer)
    assert simulator.calls["probes"] == before


async def test_several_errors_in_a_row_are_an_outage_although_a_probe_is_answered(
    gemini: Gemini, simulator: GeminiSimulator
) -> None:
    simulator.add_fault("500", title_contains="victim")
    found = [await ask(gemini, f"Victim {n}") for n in range(SEVERAL)]
    assert [type(error) for error in found] == [Doubtful] * (SEVERAL - 1) + [Unavailable]
    assert isinstance(await ask(gemini, "Another"), Answer)
    assert type(await ask(gemini, "Victim 0")) is Doubtful


async def test_an_invalid_request_is_refused_for_good(gemini: Gemini) -> None:
    with pytest.raises(Refused, match="400"):
        await gemini.generate(instructions="Write cards.", data="no JSON", schema=answer_schema())


# -- several keys --------------------------------------------------------------------------------------------------


async def test_a_refused_key_is_skipped_and_the_call_uses_another(simulator: GeminiSimulator) -> None:
    gemini = client_of(simulator.url, "refused", "good")
    before = simulator.calls["by_status"].get("400", 0)
    for n in range(4):
        assert isinstance(await ask(gemini, f"Title {n}"), Answer)
    assert simulator.calls["by_status"].get("400", 0) == before + 1
    await gemini.close()


async def test_when_every_key_is_refused_calls_fail_and_keys_are_tried_again_later(simulator: GeminiSimulator) -> None:
    gemini = client_of(simulator.url, "a", "b")
    for key in ("a", "b"):
        simulator.add_fault("401", of_key=key)
    assert type(await ask(gemini, "Title")) is KeyRefused
    simulator.forget_faults()
    assert isinstance(await ask(gemini, "Title"), Answer)
    await gemini.close()


async def test_a_key_without_quota_for_the_day_rests_until_midnight_in_california(simulator: GeminiSimulator) -> None:
    gemini = client_of(simulator.url, "a", "b")
    simulator.add_fault("429", of_key="a", of_the_day=True)
    before = simulator.calls["by_status"].get("429", 0)
    for n in range(4):
        assert isinstance(await ask(gemini, f"Title {n}"), Answer)
    assert simulator.calls["by_status"].get("429", 0) <= before + 1
    simulator.add_fault("429", of_key="b", of_the_day=True)
    calls = simulator.calls["calls"]
    found = [await ask(gemini, "Title") for _ in range(3)]
    assert [type(error) for error in found] == [DailyQuota] * 3
    assert isinstance(found[0], DailyQuota)
    assert found[0].until == end_of_day()
    assert simulator.calls["calls"] <= calls + 2
    await gemini.close()


@pytest.mark.parametrize("own_projects", [False, True])
async def test_a_quota_per_minute_belongs_to_the_project_unless_each_key_has_its_own(
    simulator: GeminiSimulator, own_projects: bool
) -> None:
    gemini = client_of(simulator.url, "a", "b", own_projects=own_projects)
    for key in ("a", "b"):
        simulator.add_fault("429", of_key=key, times=1, retry_after_seconds=0.3)
    calls = simulator.calls["calls"]
    found = await ask(gemini, "Title")
    assert type(found) is RateLimited
    assert simulator.calls["calls"] == calls + (2 if own_projects else 1)
    assert (found.until is not None) is own_projects or found.retry_after == 0.3
    if own_projects:
        assert type(await ask(gemini, "Title")) is RateLimited
        assert simulator.calls["calls"] == calls + 2
        await asyncio.sleep(0.4)
        assert isinstance(await ask(gemini, "Title"), Answer)
    await gemini.close()
