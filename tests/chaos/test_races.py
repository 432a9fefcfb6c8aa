"""Races, each run many times with random timing: the end is the one that the streams say, counts equal rows meanwhile.

`Arena.race` judges both; what a test adds is what only its race can show, and that the race was one: that either side
won now and then.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from integration.api import Api, problem

from chaos.arena import Arena
from chaos.oracle import Said, place_of
from shared.events import SubmissionCompleted
from shared.ids import topic_id
from shared.messaging.cloudevents import encode

pytestmark = pytest.mark.chaos
CARD = {
    "category": "databases",
    "subcategory": "late",
    "company": "Late Inc.",
    "complexity_level": "expert",
    "tags": ["late", "later"],
    "technologies": ["clocks"],
    "difficulty": 5,
}
NEVER = (2**63, 0)
QUICK = 0.9  # seconds: an answer within these did not give up on the projection


def titles_of(race: str, arena: Arena) -> list[str]:
    return [f"{race} {n}" for n in range(arena.times)]


async def submit(api: Api, title: str) -> None:
    """In a call of its own, so that calls end one by one."""
    await api.submit(title, batch_size=1)


async def asked(arena: Arena, method: str, path: str, **request: Any) -> tuple[httpx.Response, bool]:
    """And whether it was answered because it was projected. Asked again where a 404 only means that it was not yet."""
    while True:
        began = time.monotonic()
        answer = await arena.api.ask(method, path, **request)
        was_quick = time.monotonic() - began < QUICK
        if answer.status_code != 404 or was_quick:
            return answer, was_quick


async def delete(arena: Arena, title: str) -> bool:
    """Whether it was answered because it was projected."""
    answer, was_quick = await asked(arena, "DELETE", f"/topics/{topic_id(title)}")
    assert answer.status_code == 200, answer.text
    return was_quick


async def retry(arena: Arena, title: str, **how: bool) -> httpx.Response:
    answer, _ = await asked(arena, "POST", f"/topics/{topic_id(title)}/retry", json=how)
    assert answer.status_code in {202, 404, 409}, answer.text
    return answer


def firsts(told: dict[str, list[Said]], one: tuple[str, int], other: tuple[str, int]) -> tuple[int, int]:
    """How often the one was said before the other, and after it."""
    places = [(place_of(said, *one), place_of(said, *other)) for said in told.values()]
    both = [(a, b) for a, b in places if a and b]
    return sum(a < b for a, b in both), sum(a > b for a, b in both)


def assert_it_was_a_race(*wins: int) -> None:
    assert min(wins) > 0, f"always the same side won: {wins}"


async def test_a_delete_against_the_completion_leaves_nothing(arena: Arena) -> None:
    async def one(title: str) -> None:
        await submit(arena.api, title)
        await arena.later(0.5)
        if await delete(arena, title):
            problem(await arena.api.ask("GET", f"/topics/{topic_id(title)}"), 404)

    told = await arena.race(titles_of("Deleted while it completes", arena), one)
    assert {said[-1].attempt for said in told.values()} == {1}
    assert (await arena.api.get("/topics", search="deleted while it completes"))["total_count"] == 0
    assert_it_was_a_race(*firsts(told, ("TopicRemoved", 1), ("SubmissionCompleted", 1)))


def completed_late(title: str) -> SubmissionCompleted:
    """As a worker says it that was frozen, lost its entry to another one, and came back."""
    return SubmissionCompleted(
        id=topic_id(title),
        attempt=1,
        kind="topic",
        title=title,
        submitted_at=datetime.now(UTC),
        run=f"late run of {title}",
        worker="topic-worker-that-came-back",
        content=CARD | {"title": title},
        simulated=True,
    )


async def test_a_retry_against_a_late_completion_is_a_new_attempt_or_refused(arena: Arena) -> None:
    titles = titles_of("Late", arena)
    await arena.failed(titles, by="late")
    worker = arena.deployment.stack.connect()
    answers: dict[str, int] = {}

    async def complete(title: str) -> None:
        await arena.later(0.2)
        await worker.publish([encode(completed_late(title), source="topic-worker-that-came-back")])

    async def one(title: str) -> None:
        async def again() -> None:
            await arena.later(0.2)
            answers[title] = (await retry(arena, title)).status_code

        await asyncio.gather(complete(title), again())

    told = await arena.race(titles, one)
    await worker.close()
    for title, said in told.items():
        assert place_of(said, "SubmissionCompleted", 1)
        assert bool(place_of(said, "SubmissionCompleted", 2)) is (answers[title] == 202)
    assert_it_was_a_race(*(list(answers.values()).count(code) for code in (202, 409)))
    assert_it_was_a_race(*firsts(told, ("SubmissionCompleted", 1), ("TopicSubmitted", 2)))


async def test_a_force_against_the_completion_is_one_more_attempt_that_counts(arena: Arena) -> None:
    async def one(title: str) -> None:
        await submit(arena.api, title)
        await arena.later(0.5)
        assert (await retry(arena, title, force=True)).json()["attempt"] == 2

    told = await arena.race(titles_of("Forced", arena), one)
    assert all(place_of(said, "SubmissionCompleted", 2) for said in told.values())
    assert_it_was_a_race(*firsts(told, ("TopicSubmitted", 2), ("SubmissionCompleted", 1)))


async def test_two_retries_at_once_are_one_attempt_and_one_call(arena: Arena) -> None:
    titles = titles_of("Retried by two", arena)
    await arena.failed(titles, by="retried by two")
    answers: list[int] = []

    async def one(title: str) -> None:
        async def again() -> None:
            await arena.later(0.2)
            answer = await retry(arena, title)
            assert answer.status_code == 409 or answer.json()["attempt"] == 2
            answers.append(answer.status_code)

        await asyncio.gather(again(), again())

    told = await arena.race(titles, one)
    for said in told.values():
        assert [one.attempt for one in said if one.event == "TopicSubmitted"] == [1, 2]
        assert [one.attempt for one in said if one.event == "SubmissionStarted"] == [1, 2]
    assert_it_was_a_race(answers.count(409), answers.count(202) - arena.times)


async def test_a_submission_after_a_delete_is_the_next_attempt(arena: Arena) -> None:
    titles = titles_of("Back again", arena)
    await arena.completed(titles)
    saved: dict[str, int] = {}
    follows = set(arena.chance.sample(titles, arena.times // 2))  # the others do not wait for the delete

    async def one(title: str) -> None:
        async def again() -> None:
            await arena.later(0.1)
            saved[title] = (await arena.api.submit(title))["saved_topics"]

        if title not in follows:
            await asyncio.gather(delete(arena, title), again())
        elif await delete(arena, title):
            await again()
            assert saved[title] == 1

    told = await arena.race(titles, one)
    for title, said in told.items():
        assert bool(place_of(said, "SubmissionCompleted", 2)) is (saved.get(title) == 1)
    assert_it_was_a_race(list(saved.values()).count(0), list(saved.values()).count(1))


async def test_a_delete_against_a_forced_repeat_the_last_word_counts(arena: Arena) -> None:
    titles = titles_of("Last word", arena)
    await arena.completed(titles)
    quick: dict[str, bool] = {}

    async def one(title: str) -> None:
        async def remove() -> None:
            await arena.later(0.1)
            quick[title] = await delete(arena, title)

        async def again() -> None:
            await arena.later(0.1)
            await retry(arena, title, force=True)

        await asyncio.gather(remove(), again())

    told = await arena.race(titles, one)
    last = {title: [one for one in said if one.event.startswith("Topic")][-1] for title, said in told.items()}
    for title, said in told.items():
        if quick[title]:
            assert said_at_the_end(said) == ("removed" if last[title].event == "TopicRemoved" else "completed")
    assert_it_was_a_race(*firsts(told, ("TopicSubmitted", 2), ("TopicRemoved", 1)))


def said_at_the_end(said: Sequence[Said]) -> str:
    attempt = max(one.attempt for one in said)
    return "removed" if place_of(said, "TopicRemoved", attempt) else "completed"


async def test_a_cleanup_during_retries_takes_what_failed_and_not_what_is_retried(arena: Arena) -> None:
    titles = titles_of("Cleaned", arena)
    retried: dict[str, set[int]] = {title: set() for title in titles}
    racing = set(titles)
    arena.deployment.gemini.tell("block", title_contains="cleaned")

    async def one(title: str) -> None:
        await submit(arena.api, title)
        for _ in range(3):
            await arena.later(0.3)
            if (answer := await retry(arena, title)).status_code == 202:
                retried[title].add(answer.json()["attempt"])
        racing.remove(title)

    async def clean_up() -> None:
        while racing:
            await arena.later(0.1)
            assert (await arena.api.ask("POST", "/cleanup-failed")).status_code == 200

    told = await arena.race(titles, one, clean_up())
    for title, said in told.items():
        failed = {one.attempt: one.place for one in said if one.event == "SubmissionFailed"}
        assert retried[title] <= failed.keys()
        assert all(failed.get(one.attempt, NEVER) < one.place for one in said if one.event == "TopicRemoved")
    assert_it_was_a_race(
        sum(said_at_the_end(said) == "removed" for said in told.values()),
        sum(survived_a_cleanup(said) for said in told.values()),
    )


def survived_a_cleanup(said: Sequence[Said]) -> bool:
    """The removal of an attempt came after the submission of the next one."""
    submitted = {one.attempt: one.place for one in said if one.event == "TopicSubmitted"}
    return any(one.event == "TopicRemoved" and one.place > submitted.get(one.attempt + 1, NEVER) for one in said)
