"""The API's answers, good and bad, as the command takes them."""

import asyncio
from pathlib import Path

import httpx
import pytest

from topicflow.api_client import ApiClient, answer_of, api_url
from topicflow.api_problems import retry_after_seconds
from topicflow.errors import CommandError, Unavailable, Unreachable, WrongUse
from topicflow.local_mode.data_folder import write_private
from topicflow.screen.sending import Sending
from topicflow.submit import merged, submit


def _api(*responses: httpx.Response, seen: list[httpx.Request] | None = None) -> ApiClient:
    answers = iter(responses)

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return next(answers)

    return ApiClient("http://127.0.0.1:1", "secret", httpx.MockTransport(answer))


def _sending(said: list[str] | None = None, total: int = 1) -> Sending:
    return Sending(total, "titles", lambda now: said.append(now.full_line) if said is not None else None)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return taken


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [(400, 2), (401, 4), (403, 4), (404, 1), (409, 1), (422, 2), (429, 3), (500, 1), (502, 3), (503, 3), (302, 1)],
)
async def test_each_refusal_has_its_exit_code_and_its_words(status: int, exit_code: int) -> None:
    problem = {"type": "about:blank", "title": "Refused", "status": status, "detail": "because\n of \x1b[31mthis"}
    with pytest.raises(CommandError) as caught:
        await _api(httpx.Response(status, json=problem)).get("/topics")
    assert caught.value.exit_code == exit_code
    assert str(caught.value) == "because of \ufffd[31mthis"


async def test_the_fields_that_are_wrong_are_named() -> None:
    errors = [{"field": f"topics[{n}]", "message": "is blank"} for n in range(5)]
    with pytest.raises(WrongUse) as caught:
        await _api(httpx.Response(422, json={"title": "Invalid", "errors": errors})).get("/topics")
    assert str(caught.value) == "Invalid: topics[0] is blank; topics[1] is blank; topics[2] is blank and 2 more"


async def test_what_the_detail_says_already_is_not_said_twice() -> None:
    problem = {"detail": "limit: too large", "errors": [{"field": "limit", "message": "too large"}]}
    with pytest.raises(WrongUse) as caught:
        await _api(httpx.Response(422, json=problem)).get("/topics")
    assert str(caught.value) == "limit: too large"


async def test_an_answer_that_is_not_json_is_not_topicflows() -> None:
    with pytest.raises(Unreachable, match="not answered by topicflow"):
        answer_of(await _api(httpx.Response(200, text="<html>")).get("/topics"))


async def test_nobody_there_is_one_clear_line() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("All connection attempts failed")

    with pytest.raises(Unreachable, match=r"nothing answers at http://127\.0\.0\.1:1"):
        await ApiClient("http://127.0.0.1:1", None, httpx.MockTransport(refuse)).get("/topics")


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after_seconds("7") == 7
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after_seconds("soon") is None
    assert retry_after_seconds(None) is None


async def test_a_503_is_sent_again_after_the_time_it_asks_for_and_as_the_same_request(pauses: list[float]) -> None:
    seen: list[httpx.Request] = []
    accepted = {"topics": [], "total_topics": 1, "saved_topics": 1, "skipped_topics": 0}
    busy = httpx.Response(503, headers={"Retry-After": "3"}, json={"title": "Busy"})
    submitted = await submit(_api(busy, busy, httpx.Response(202, json=accepted), seen=seen), ["Raft"], _sending())
    assert submitted.answer == accepted
    assert pauses == [3, 3]
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
    assert seen[0].headers["Authorization"] == "Bearer secret"


async def test_while_the_same_request_is_being_answered_its_answer_is_waited_for(pauses: list[float]) -> None:
    accepted = {"topics": [], "total_topics": 1, "saved_topics": 1, "skipped_topics": 0}
    running = httpx.Response(409, headers={"Retry-After": "1"}, json={"title": "Conflict"})
    submitted = await submit(_api(running, httpx.Response(202, json=accepted)), ["Raft"], _sending())
    assert (submitted.answer, pauses) == (accepted, [1])


async def test_a_503_that_stays_ends_with_exit_code_3(pauses: list[float]) -> None:
    with pytest.raises(CommandError) as caught:
        await submit(_api(*[httpx.Response(503, json={"detail": "the broker is out"})] * 5), ["Raft"], _sending())
    assert caught.value.exit_code == 3
    assert pauses == [1, 2, 4, 8]


async def test_while_the_api_says_when_to_come_again_ten_minutes_are_waited_and_it_is_said_why(
    pauses: list[float],
) -> None:
    said: list[str] = []
    full = httpx.Response(503, headers={"Retry-After": "5"}, json={"detail": "no room"})
    with pytest.raises(Unavailable, match="no room"):
        await submit(_api(*[full] * 200), ["Raft"], _sending(said))
    assert (set(pauses), sum(pauses)) == ({5}, 600)
    assert set(said) == {"0 of 1 titles sent; waiting, the API says: no room"}


async def test_each_part_of_a_long_list_has_patience_of_its_own_and_the_last_place_is_known(
    pauses: list[float],
) -> None:
    said: list[str] = []
    full = httpx.Response(503, headers={"Retry-After": "60"}, json={"detail": "no room"})
    taken = httpx.Response(202, json={"topics": []})
    sending = _sending(said, total=1500)
    answers = [taken, *[full] * 10, taken, *[full] * 11]
    with pytest.raises(Unavailable, match="titles 1001 to 1500: no room; the 1000 before them are submitted"):
        await submit(_api(*answers), ["x"] * 1500, sending)
    assert (sending.place, len(pauses)) == ("1,000 of 1,500 titles", 20)
    assert said[:2] == ["500 of 1,500 titles sent", "500 of 1,500 titles sent; waiting, the API says: no room"]


async def test_who_asks_to_come_again_at_once_is_still_given_a_second(pauses: list[float]) -> None:
    soon = httpx.Response(429, headers={"Retry-After": "0"}, json={"title": "Too many"})
    await submit(_api(soon, httpx.Response(202, json={"topics": []})), ["Raft"], _sending())
    assert pauses == [1]


async def test_nobody_waits_an_hour_for_a_503(pauses: list[float]) -> None:
    with pytest.raises(CommandError):
        await submit(_api(httpx.Response(503, headers={"Retry-After": "3600"})), ["Raft"], _sending())
    assert pauses == []


async def test_a_refused_chunk_says_what_was_taken_before() -> None:
    accepted = httpx.Response(202, json={"topics": []})
    with pytest.raises(WrongUse, match="titles 501 to 600: too long; the 500 before them are submitted"):
        await submit(_api(accepted, httpx.Response(422, json={"detail": "too long"})), ["x"] * 600, _sending(total=600))


def test_several_answers_become_one_of_the_same_shape() -> None:
    first = {
        "message": "m",
        "total_topics": 2,
        "saved_topics": 1,
        "skipped_topics": 1,
        "skipped_titles": ["b"],
        "topics": [{"id": "1", "title": "a", "status": "pending"}, {"id": "2", "title": "b", "status": "completed"}],
    }
    second = {**first, "topics": [{"id": "1", "title": "a", "status": "processing"}]}
    assert merged([first, second]) == {
        "message": "2 topics submitted, 2 skipped (completed or under way already)",
        "total_topics": 4,
        "saved_topics": 2,
        "skipped_topics": 2,
        "skipped_titles": ["b", "b"],
        "topics": [{"id": "1", "title": "a", "status": "processing"}, {"id": "2", "title": "b", "status": "completed"}],
    }


def test_the_url_comes_from_the_option_the_environment_the_folder_or_the_usual_port(tmp_path: Path) -> None:
    folder = {"TOPICFLOW_DATA": str(tmp_path)}
    assert api_url(None, folder) == "http://127.0.0.1:8000"
    write_private(tmp_path / "url", "http://127.0.0.1:8123\n")
    assert api_url(None, folder) == "http://127.0.0.1:8123"
    assert api_url(None, {**folder, "TOPICFLOW_URL": "https://cards.example/"}) == "https://cards.example"
    assert api_url("http://other:1/api/v1/", {**folder, "TOPICFLOW_URL": "https://cards.example"}) == "http://other:1"


@pytest.mark.parametrize("url", ["cards.example", "ftp://cards.example", "http://"])
def test_what_is_no_url_is_wrong_use(url: str) -> None:
    with pytest.raises(WrongUse):
        api_url(url, {})
