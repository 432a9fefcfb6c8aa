"""POST /topics and POST /topics/{id}/retry against a running deployment: accepted, skipped, queued and refused."""

import asyncio
from typing import Any

import pytest
from integration.api import Api, problem

from shared.ids import topic_id

ANSWER = {"message", "total_topics", "saved_topics", "skipped_topics", "skipped_titles", "topics"}


async def test_a_submission_has_exactly_the_fields_of_the_contract(api: Api) -> None:
    answer = await api.ask("POST", "/topics", json={"topics": ["  Shape of an answer "], "batch_size": 1})
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "message": "1 queued, 0 skipped",
        "total_topics": 1,
        "saved_topics": 1,
        "skipped_topics": 0,
        "skipped_titles": [],
        "topics": [
            {"id": topic_id("Shape of an answer"), "title": "Shape of an answer", "status": "pending", "attempt": 1}
        ],
    }


async def test_a_title_twice_in_one_request_is_saved_once_and_skipped_once(api: Api) -> None:
    answer = await api.submit("Twice", "twice ", "TWICE", "Once")
    assert [answer[field] for field in ("total_topics", "saved_topics", "skipped_topics")] == [4, 2, 2]
    assert answer["skipped_titles"] == ["twice", "TWICE"]
    assert [topic["title"] for topic in answer["topics"]] == ["Twice", "Once"]


async def test_no_more_than_five_skipped_titles_are_named_but_all_are_counted(api: Api) -> None:
    answer = await api.submit(*["Skipped"] * 9)
    assert (answer["saved_topics"], answer["skipped_topics"], answer["skipped_titles"]) == (1, 8, ["Skipped"] * 5)


async def test_a_completed_topic_is_skipped_with_its_current_status_unless_forced(api: Api) -> None:
    [topic] = (await api.submit("Done before"))["topics"]
    await api.ended(topic["id"])
    again = await api.submit("done  BEFORE")
    assert (again["saved_topics"], again["skipped_titles"]) == (0, ["done  BEFORE"])
    assert again["topics"] == [{"id": topic["id"], "title": "Done before", "status": "completed", "attempt": 1}]
    forced = await api.submit("Done before", force=True)
    assert (forced["saved_topics"], forced["topics"][0]["status"]) == (1, "pending")
    [redone] = await _at_attempt(api, topic["id"], 2)
    assert redone["status"] == "completed"


async def test_a_failed_topic_is_queued_again(api: Api) -> None:
    api.deployment.gemini.add_fault("block", title_contains="Unlucky")
    [topic] = (await api.submit("Unlucky"))["topics"]
    [failed] = await api.ended(topic["id"], as_="failed")
    assert failed["error_message"]
    api.deployment.gemini.forget_faults()
    assert (await api.submit("unlucky"))["saved_topics"] == 1
    [completed] = await api.ended(topic["id"])
    assert (completed["attempt"], completed["error_message"]) == (2, None)


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("Chat System", " chat   SYSTEM "),
        ("Straße", "STRASSE"),
        ("\uff21\uff22 wide", "ab wide"),
        ("ﬁle systems", "File\tSystems"),
        ("Café ", "Cafe\u0301"),
    ],
)
async def test_titles_that_differ_in_case_space_or_width_are_one_topic(api: Api, title: str, other: str) -> None:
    first = await api.submit(title)
    await api.ended(first["topics"][0]["id"])
    second = await api.submit(other)
    assert second["skipped_topics"] == 1
    assert second["topics"][0]["id"] == first["topics"][0]["id"]
    assert second["topics"][0]["title"] == title.strip()


async def test_titles_with_other_differences_are_two_topics(api: Api) -> None:
    answer = await api.submit("Two things", "Twothings")
    assert answer["saved_topics"] == 2


async def test_the_generated_title_of_a_topic_is_the_same_topic(api: Api) -> None:
    long = "How a very large distributed storage engine " + "really " * 20 + "works"
    [topic] = (await api.submit(long))["topics"]
    [completed] = await api.ended(topic["id"])
    name = completed["content"]["title"]
    assert topic_id(name) != topic["id"]
    answer = await api.submit(name, long)
    assert answer["skipped_titles"] == [name, long]
    assert answer["topics"] == [{"id": topic["id"], "title": long, "status": "completed", "attempt": 1}]
    forced = await api.submit(name, long, force=True)
    assert (forced["saved_topics"], forced["skipped_topics"]) == (1, 1)
    assert forced["topics"] == [{"id": topic["id"], "title": long, "status": "pending", "attempt": 2}]
    await _at_attempt(api, topic["id"], 2)


async def test_concurrent_submissions_of_one_title_get_one_row_and_one_call(api: Api) -> None:
    answers = await asyncio.gather(*(api.submit(title) for title in ["Met at once", "met at once", " MET AT ONCE"] * 7))
    [id_] = {answer["topics"][0]["id"] for answer in answers}
    [topic] = await api.ended(id_)
    assert topic["attempt"] == 1
    assert (
        sum(n for title, n in api.deployment.gemini.calls["titles"].items() if "met at once" in title.casefold()) == 1
    )
    assert (await api.get("/topics", search="met at once"))["total_count"] == 1


async def test_500_titles_of_500_characters_are_accepted(api: Api) -> None:
    answer = await api.submit(*[f"{n:03} " + "ü" * 496 for n in range(500)])
    assert answer["saved_topics"] == 500


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"topics": ["good", "good too", "  \t "]}, "topics[2]"),
        ({"topics": ["good", "x" * 501]}, "topics[1]"),
        ({"topics": ["a\x00b"]}, "topics[0]"),
        ({"topics": ["escape \x1b[31m"]}, "topics[0]"),
        ({"topics": ["\x7f"]}, "topics[0]"),
        ({"topics": [7]}, "topics[0]"),
        ({"topics": [None]}, "topics[0]"),
        ({"topics": []}, "topics"),
        ({"topics": [str(n) for n in range(501)]}, "topics"),
        ({"topics": "one"}, "topics"),
        ({}, "topics"),
        ({"topics": ["x"], "batch_size": 6}, "batch_size"),
        ({"topics": ["x"], "batch_size": 0}, "batch_size"),
        ({"topics": ["x"], "force": "perhaps"}, "force"),
        ({"topics": ["x"], "priority": 1}, "priority"),
        ({"topics": ["x"], "p" * 5000: 1}, "p" * 200),
        (["x"], "body"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_an_invalid_body_is_refused_with_the_name_of_the_field(api: Api, body: Any, field: str) -> None:
    refused = problem(await api.ask("POST", "/topics", json=body), 422)
    assert refused["detail"].startswith(f"{field}: ")
    assert refused["errors"][0]["field"] == field
    assert len(refused["detail"]) < 500


@pytest.mark.parametrize(
    "content",
    [
        b'{"topics": ["x"',
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"topics": ["\\ud800"]}',
        b'{"topics": ["x"], "\\ud800": 1}',
    ],
    ids=["cut off", "empty", "no UTF-8", "deep", "half a surrogate pair", "a field named half a pair"],
)
async def test_a_body_that_is_not_valid_json_is_refused(api: Api, content: bytes) -> None:
    answer = await api.ask("POST", "/topics", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    problem(answer, answer.status_code)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_another_content_type_is_refused(api: Api, content_type: str) -> None:
    """A form on a foreign web page must not be able to submit."""
    headers = {"content-type": content_type} if content_type else {}
    answer = await api.ask("POST", "/topics", content=b'{"topics": ["From a form"]}', headers=headers)
    problem(answer, 422)


async def test_a_body_of_ten_megabytes_is_refused_and_nothing_of_it_is_stored(api: Api) -> None:
    body = b'{"topics": ["Too much"], "padding": "' + b"x" * 10_000_000 + b'"}'
    headers = {"content-type": "application/json"}
    assert "2 MiB" in problem(await api.ask("POST", "/topics", content=body, headers=headers), 413)["detail"]

    async def in_pieces() -> Any:
        for at in range(0, len(body), 100_000):
            yield body[at : at + 100_000]

    problem(await api.ask("POST", "/topics", content=in_pieces(), headers=headers), 413)
    problem(await api.ask("GET", f"/topics/{topic_id('Too much')}"), 404)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "localhost.evil.example:8000"},
        {"host": "127.0.0.1.nip.io"},
        {"host": "[::1"},
        {"host": ""},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://["},
        {"origin": "http://127.0.0.1:1"},
    ],
    ids=str,
)
async def test_a_foreign_host_name_and_a_foreign_origin_are_refused(api: Api, headers: dict[str, str]) -> None:
    answer = await api.ask("POST", "/topics", json={"topics": ["From elsewhere"]}, headers=headers)
    problem(answer, 403)
    problem(await api.http.get("/live", headers=headers), 403)
    problem(await api.ask("GET", f"/topics/{topic_id('From elsewhere')}"), 404)


async def test_its_own_origin_and_every_name_of_loopback_are_accepted(api: Api) -> None:
    port = api.deployment.api_port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        answer = await api.http.get("/live", headers={"host": host, "origin": f"http://{host}"})
        assert answer.status_code == 200


# -- retry ---------------------------------------------------------------------------------------------------------


async def test_a_retry_queues_a_failed_topic_with_the_next_attempt(api: Api) -> None:
    api.deployment.gemini.add_fault("block", title_contains="Retried")
    [topic] = (await api.submit("Retried"))["topics"]
    await api.ended(topic["id"], as_="failed")
    api.deployment.gemini.forget_faults()
    answer = await api.ask("POST", f"/topics/{topic['id']}/retry")
    assert answer.status_code == 202
    assert answer.json() == {"id": topic["id"], "title": "Retried", "status": "pending", "attempt": 2}
    shown = await api.get(f"/topics/{topic['id']}")  # answered when it was projected
    assert (shown["attempt"], shown["error_message"]) == (2, None)
    [completed] = await api.ended(topic["id"])
    assert completed["attempt"] == 2


async def test_a_topic_that_has_not_failed_is_retried_only_by_force(api: Api) -> None:
    [topic] = (await api.submit("Not failed"))["topics"]
    await api.ended(topic["id"])
    path = f"/topics/{topic['id']}/retry"
    assert "completed" in problem(await api.ask("POST", path), 409)["detail"]
    problem(await api.ask("POST", path, json={"force": False}), 409)
    assert (await api.ask("POST", path, json={"force": True})).json()["attempt"] == 2
    await _at_attempt(api, topic["id"], 2)


async def test_a_retry_of_an_unknown_topic_or_with_an_invalid_body_is_refused(api: Api) -> None:
    problem(await api.ask("POST", "/topics/nothing/retry"), 404)
    problem(await api.ask("POST", "/topics/nothing/retry", json={"attempts": 3}), 422)


# -- any route -----------------------------------------------------------------------------------------------------


async def test_wrong_methods_and_paths_are_problems_too(api: Api) -> None:
    answer = await api.ask("PUT", "/topics")
    problem(answer, 405)
    assert answer.headers["allow"]
    problem(await api.ask("GET", "/nothing"), 404)
    problem(await api.http.get("/index.html"), 404)


async def _at_attempt(api: Api, id_: str, attempt: int) -> list[Any]:
    """The topic, once this attempt is completed."""
    while True:
        [topic] = await api.ended(id_)
        if topic["attempt"] == attempt:
            return [topic]
