"""Races, each run many times with random timing: the final state matches the streams, counts equal rows meanwhile.

`RaceRunner.run` checks both. Each test adds what is specific to its race, and that both sides won at least once.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from bench.card import CARD
from factories import completed, record
from integration.api import Api, problem

from chaos.oracle import StreamEvent, place_of
from chaos.race_runner import RaceRunner
from shared.ids import topic_id
from shared.messaging.cloudevents import Record

NEVER = (2**63, 0)
QUICK = 0.9  # seconds: an answer within these did not give up on the projection


def titles_of(race: str, races: RaceRunner) -> list[str]:
    return [f"{race} {n}" for n in range(races.times)]


async def submit(api: Api, title: str) -> None:
    """In a call of its own, so that calls end one by one."""
    await api.submit(title, batch_size=1)


async def request(races: RaceRunner, method: str, path: str, **body: Any) -> tuple[httpx.Response, bool]:
    """The answer, and whether it came because the topic was projected. Repeats a 404 that came before that."""
    while True:
        began = time.monotonic()
        answer = await races.api.ask(method, path, **body)
        was_quick = time.monotonic() - began < QUICK
        if answer.status_code != 404 or was_quick:
            return answer, was_quick


async def delete(races: RaceRunner, title: str) -> bool:
    """Whether the answer came because the topic was projected."""
    answer, was_quick = await request(races, "DELETE", f"/topics/{topic_id(title)}")
    assert answer.status_code == 200, answer.text
    return was_quick


async def retry(races: RaceRunner, title: str, **how: bool) -> httpx.Response:
    answer, _ = await request(races, "POST", f"/topics/{topic_id(title)}/retry", json=how)
    assert answer.status_code in {202, 404, 409}, answer.text
    return answer


def count_orders(events: dict[str, list[StreamEvent]], one: tuple[str, int], other: tuple[str, int]) -> tuple[int, int]:
    """How often event `one` was published before `other`, and after it."""
    places = [(place_of(of_title, *one), place_of(of_title, *other)) for of_title in events.values()]
    both = [(a, b) for a, b in places if a and b]
    return sum(a < b for a, b in both), sum(a > b for a, b in both)


def assert_it_was_a_race(*wins: int) -> None:
    assert min(wins) > 0, f"always the same side won: {wins}"


async def test_a_delete_racing_the_completion_leaves_nothing(races: RaceRunner) -> None:
    async def one(title: str) -> None:
        await submit(races.api, title)
        await races.later(0.5)
        if await delete(races, title):
            problem(await races.api.ask("GET", f"/topics/{topic_id(title)}"), 404)

    events = await races.run(titles_of("Deleted while it completes", races), one)
    assert {of_title[-1].attempt for of_title in events.values()} == {1}
    assert (await races.api.get("/topics", search="deleted while it completes"))["total_count"] == 0
    assert_it_was_a_race(*count_orders(events, ("TopicRemoved", 1), ("SubmissionCompleted", 1)))


def completed_late(title: str) -> Record:
    """As published by a worker that was frozen, lost its entry to another one, and came back."""
    run, card = f"late run of {title}", CARD | {"title": title}
    return record(completed(title, run=run, submitted_at=datetime.now(UTC), content=card, simulated=True))


async def test_a_retry_racing_a_late_completion_is_a_new_attempt_or_refused(races: RaceRunner) -> None:
    titles = titles_of("Late", races)
    await races.failed(titles, by="late")
    worker = races.deployment.stack.connect()
    answers: dict[str, int] = {}

    async def complete(title: str) -> None:
        await races.later(0.2)
        await worker.publish([completed_late(title)])

    async def one(title: str) -> None:
        async def again() -> None:
            await races.later(0.2)
            answers[title] = (await retry(races, title)).status_code

        await asyncio.gather(complete(title), again())

    events = await races.run(titles, one)
    await worker.close()
    for title, of_title in events.items():
        assert place_of(of_title, "SubmissionCompleted", 1)
        assert bool(place_of(of_title, "SubmissionCompleted", 2)) is (answers[title] == 202)
    assert_it_was_a_race(*(list(answers.values()).count(code) for code in (202, 409)))
    assert_it_was_a_race(*count_orders(events, ("SubmissionCompleted", 1), ("TopicSubmitted", 2)))


async def test_a_forced_retry_racing_the_completion_is_one_more_attempt_and_wins(races: RaceRunner) -> None:
    async def one(title: str) -> None:
        await submit(races.api, title)
        await races.later(0.5)
        assert (await retry(races, title, force=True)).json()["attempt"] == 2

    events = await races.run(titles_of("Forced", races), one)
    assert all(place_of(of_title, "SubmissionCompleted", 2) for of_title in events.values())
    assert_it_was_a_race(*count_orders(events, ("TopicSubmitted", 2), ("SubmissionCompleted", 1)))


async def test_two_retries_at_once_are_one_attempt_and_one_call(races: RaceRunner) -> None:
    titles = titles_of("Retried by two", races)
    await races.failed(titles, by="retried by two")
    answers: list[int] = []

    async def one(title: str) -> None:
        async def again() -> None:
            await races.later(0.2)
            answer = await retry(races, title)
            assert answer.status_code == 409 or answer.json()["attempt"] == 2
            answers.append(answer.status_code)

        await asyncio.gather(again(), again())

    events = await races.run(titles, one)
    for of_title in events.values():
        assert [one.attempt for one in of_title if one.name == "TopicSubmitted"] == [1, 2]
        assert [one.attempt for one in of_title if one.name == "SubmissionStarted"] == [1, 2]
    assert_it_was_a_race(answers.count(409), answers.count(202) - races.times)


async def test_a_submission_after_a_delete_is_the_next_attempt(races: RaceRunner) -> None:
    titles = titles_of("Back again", races)
    await races.completed(titles)
    saved: dict[str, int] = {}
    follows = set(races.chance.sample(titles, races.times // 2))  # the others do not wait for the delete

    async def one(title: str) -> None:
        async def again() -> None:
            await races.later(0.1)
            saved[title] = (await races.api.submit(title))["saved_topics"]

        if title not in follows:
            await asyncio.gather(delete(races, title), again())
        elif await delete(races, title):
            await again()
            assert saved[title] == 1

    events = await races.run(titles, one)
    for title, of_title in events.items():
        assert bool(place_of(of_title, "SubmissionCompleted", 2)) is (saved.get(title) == 1)
    assert_it_was_a_race(list(saved.values()).count(0), list(saved.values()).count(1))


async def test_of_a_delete_racing_a_forced_retry_the_last_event_wins(races: RaceRunner) -> None:
    titles = titles_of("Last word", races)
    await races.completed(titles)
    quick: dict[str, bool] = {}

    async def one(title: str) -> None:
        async def remove() -> None:
            await races.later(0.1)
            quick[title] = await delete(races, title)

        async def again() -> None:
            await races.later(0.1)
            await retry(races, title, force=True)

        await asyncio.gather(remove(), again())

    events = await races.run(titles, one)
    last = {title: [one for one in of_title if one.name.startswith("Topic")][-1] for title, of_title in events.items()}
    for title, of_title in events.items():
        if quick[title]:
            assert expected_status(of_title) == ("removed" if last[title].name == "TopicRemoved" else "completed")
    assert_it_was_a_race(*count_orders(events, ("TopicSubmitted", 2), ("TopicRemoved", 1)))


def expected_status(events: Sequence[StreamEvent]) -> str:
    attempt = max(one.attempt for one in events)
    return "removed" if place_of(events, "TopicRemoved", attempt) else "completed"


async def test_a_cleanup_during_retries_removes_failed_attempts_but_not_retried_ones(races: RaceRunner) -> None:
    titles = titles_of("Cleaned", races)
    retried: dict[str, set[int]] = {title: set() for title in titles}
    racing = set(titles)
    races.deployment.gemini.add_fault("block", title_contains="cleaned")

    async def one(title: str) -> None:
        await submit(races.api, title)
        for _ in range(3):
            await races.later(0.3)
            if (answer := await retry(races, title)).status_code == 202:
                retried[title].add(answer.json()["attempt"])
        racing.remove(title)

    async def clean_up() -> None:
        while racing:
            await races.later(0.1)
            assert (await races.api.ask("POST", "/cleanup-failed")).status_code == 200

    events = await races.run(titles, one, clean_up())
    for title, of_title in events.items():
        failed = {one.attempt: one.place for one in of_title if one.name == "SubmissionFailed"}
        assert retried[title] <= failed.keys()
        assert all(failed.get(one.attempt, NEVER) < one.place for one in of_title if one.name == "TopicRemoved")
    assert_it_was_a_race(
        sum(expected_status(of_title) == "removed" for of_title in events.values()),
        sum(survived_a_cleanup(of_title) for of_title in events.values()),
    )


def survived_a_cleanup(events: Sequence[StreamEvent]) -> bool:
    """Whether an attempt was removed after the submission of the next one."""
    submitted = {one.attempt: one.place for one in events if one.name == "TopicSubmitted"}
    return any(one.name == "TopicRemoved" and one.place > submitted.get(one.attempt + 1, NEVER) for one in events)
