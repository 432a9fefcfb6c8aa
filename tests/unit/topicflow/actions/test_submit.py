"""Sending titles: in several requests, with retries after Retry-After, each with one idempotency key."""

import asyncio

import httpx
import pytest

from topicflow.actions.submit import submit
from topicflow.client.api import ApiClient
from topicflow.client.submitting import merged
from topicflow.errors import CommandError, ServiceUnavailable, WrongUse
from topicflow.views.sending import Sending


def _api(*responses: httpx.Response, seen: list[httpx.Request] | None = None) -> ApiClient:
    answers = iter(responses)

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return next(answers)

    return ApiClient("http://127.0.0.1:1", "secret", httpx.MockTransport(answer))


def _sending(lines: list[str] | None = None, total: int = 1) -> Sending:
    return Sending(total, "titles", lambda now: lines.append(now.full_line) if lines is not None else None)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return taken


async def test_after_a_503_the_same_request_is_repeated_after_retry_after(pauses: list[float]) -> None:
    seen: list[httpx.Request] = []
    accepted = {"topics": [], "total_topics": 1, "saved_topics": 1, "skipped_topics": 0}
    busy = httpx.Response(503, headers={"Retry-After": "3"}, json={"title": "Busy"})
    submitted = await submit(_api(busy, busy, httpx.Response(202, json=accepted), seen=seen), ["Raft"], _sending())
    assert submitted.answer == accepted
    assert pauses == [3, 3]
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
    assert seen[0].headers["Authorization"] == "Bearer secret"


async def test_a_409_in_progress_is_repeated_until_the_answer_is_there(pauses: list[float]) -> None:
    accepted = {"topics": [], "total_topics": 1, "saved_topics": 1, "skipped_topics": 0}
    running = httpx.Response(409, headers={"Retry-After": "1"}, json={"title": "Conflict"})
    submitted = await submit(_api(running, httpx.Response(202, json=accepted)), ["Raft"], _sending())
    assert (submitted.answer, pauses) == (accepted, [1])


async def test_a_503_that_stays_ends_with_exit_code_3(pauses: list[float]) -> None:
    with pytest.raises(CommandError) as caught:
        await submit(_api(*[httpx.Response(503, json={"detail": "the broker is out"})] * 5), ["Raft"], _sending())
    assert caught.value.exit_code == 3
    assert pauses == [1, 2, 4, 8]


async def test_with_retry_after_the_command_waits_ten_minutes_and_shows_the_reason(
    pauses: list[float],
) -> None:
    lines: list[str] = []
    full = httpx.Response(503, headers={"Retry-After": "5"}, json={"detail": "no room"})
    with pytest.raises(ServiceUnavailable, match="no room"):
        await submit(_api(*[full] * 200), ["Raft"], _sending(lines))
    assert (set(pauses), sum(pauses)) == ({5}, 600)
    assert set(lines) == {"0 of 1 titles sent; waiting: no room"}


async def test_each_request_of_a_long_list_has_its_own_limit_and_the_last_position_is_known(
    pauses: list[float],
) -> None:
    lines: list[str] = []
    full = httpx.Response(503, headers={"Retry-After": "60"}, json={"detail": "no room"})
    taken = httpx.Response(202, json={"topics": []})
    sending = _sending(lines, total=1500)
    answers = [taken, *[full] * 10, taken, *[full] * 11]
    with pytest.raises(ServiceUnavailable, match="titles 1001 to 1500: no room; the first 1000 were submitted"):
        await submit(_api(*answers), ["x"] * 1500, sending)
    assert (sending.position, len(pauses)) == ("1,000 of 1,500 titles", 20)
    assert lines[:2] == ["500 of 1,500 titles sent", "500 of 1,500 titles sent; waiting: no room"]


async def test_retry_after_zero_still_waits_one_second(pauses: list[float]) -> None:
    soon = httpx.Response(429, headers={"Retry-After": "0"}, json={"title": "Too many"})
    await submit(_api(soon, httpx.Response(202, json={"topics": []})), ["Raft"], _sending())
    assert pauses == [1]


async def test_a_retry_after_of_an_hour_is_not_waited_for(pauses: list[float]) -> None:
    with pytest.raises(CommandError):
        await submit(_api(httpx.Response(503, headers={"Retry-After": "3600"})), ["Raft"], _sending())
    assert pauses == []


async def test_a_refused_request_reports_what_was_submitted_before() -> None:
    accepted = httpx.Response(202, json={"topics": []})
    with pytest.raises(WrongUse, match="titles 501 to 600: too long; the first 500 were submitted"):
        await submit(_api(accepted, httpx.Response(422, json={"detail": "too long"})), ["x"] * 600, _sending(total=600))


def test_several_answers_are_merged_into_one_of_the_same_format() -> None:
    first = {
        "message": "m",
        "total_topics": 2,
        "saved_topics": 1,
        "skipped_topics": 1,
        "skipped_titles": ["b"],
        "topics": [{"id": "1", "title": "a", "status": "pending"}, {"id": "2", "title": "b", "status": "completed"}],
    }
    second = {**first, "topics": [{"id": "1", "title": "a", "status": "processing"}]}
    assert merged([first, second], "topics") == {
        "message": "m",
        "total_topics": 4,
        "saved_topics": 2,
        "skipped_topics": 2,
        "skipped_titles": ["b", "b"],
        "topics": [{"id": "1", "title": "a", "status": "processing"}, {"id": "2", "title": "b", "status": "completed"}],
    }


async def test_the_merged_answer_says_how_many_were_submitted() -> None:
    taken = {"message": "m", "saved_topics": 1, "skipped_topics": 0, "skipped_titles": [], "topics": []}
    submitted = await submit(_api(*[httpx.Response(202, json=taken)] * 2), ["x"] * 600, _sending(total=600))
    assert submitted.answer == taken | {"message": "2 topics submitted", "saved_topics": 2}
    assert submitted.line == "2 topics submitted"


async def test_no_titles_are_left_to_the_api_to_refuse() -> None:
    with pytest.raises(WrongUse, match="none"):
        await submit(_api(httpx.Response(422, json={"detail": "none"})), [], _sending())
