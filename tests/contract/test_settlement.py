"""The consumer loop on every broker: a delivery is settled exactly when its outcome is stored."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

from contract.brokers import Broker
from contract.submissions import (
    DEAD_LETTERS,
    SUBMISSIONS,
    many,
    names,
    read_all,
    removed,
    started,
    stored,
    submitted,
)
from contract.workers import Workers, remains
from eventually import eventually

from shared.errors import Refused, Transient, Unavailable
from shared.events import Requeued, TopicSubmitted
from shared.ids import topic_id
from shared.messaging.cloudevents import Record
from shared.resilience.backoff import RetryPolicy
from shared.worker.outcome_writer import LARGE, LINGER

LONG = RetryPolicy(first_pause=60, longest_pause=60)
TIMED_OUT = Transient("timeout", "no answer within 120 s")


async def test_every_submission_gets_one_outcome_and_is_settled(broker: Broker, workers: Workers) -> None:
    await workers.start("a")
    await workers.start("b", concurrency=3)
    await broker.transport.publish(many(60))
    await workers.settled()
    assert await workers.completed() == Counter(names(60))
    assert Counter(title for title, _ in workers.handler.calls) == Counter(names(60))
    assert await workers.outcome_names("topic 7") == ["Started", "Completed"]


async def test_under_load_outcomes_are_batched_for_a_moment(broker: Broker, workers: Workers) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    for n in range(LARGE + 2):
        workers.handler.answer(f"topic {n}", (first if n < LARGE else second).wait)
    await broker.transport.publish(many(LARGE + 2))
    worker = await workers.start(concurrency=LARGE + 2, store=0.05)
    await eventually(lambda: workers.handler.running.total() == LARGE + 2, within=15)
    await remains(lambda: workers.handler.running.total() == LARGE + 2, during=0.3)  # their starts are stored
    worker.stores.clear()
    first.set()
    await eventually(lambda: worker.stores, within=5, every=0.001)
    second.set()  # while those are being stored
    await workers.settled()
    (began, number), (began_again, more) = worker.stores[:2]
    assert (number, more) == (LARGE, 2)
    assert began_again - began > 0.05 + LINGER


async def test_no_more_deliveries_are_in_flight_than_the_limit(broker: Broker, workers: Workers) -> None:
    await broker.transport.publish(many(30))
    await workers.start(concurrency=4)
    await workers.settled()
    assert workers.handler.most_running == 4


async def test_a_transient_error_spends_tries_and_the_third_fails(broker: Broker, workers: Workers) -> None:
    workers.handler.answer("bad", TIMED_OUT, TIMED_OUT, TIMED_OUT)
    workers.handler.answer("shaky", TIMED_OUT, TIMED_OUT)
    await broker.transport.publish([submitted("bad"), submitted("shaky"), submitted("good")])
    await workers.start()
    await workers.settled()
    assert await workers.outcome_names("bad") == ["Started", "Parked", "Started", "Parked", "Started", "Failed"]
    assert [outcome.tries for outcome in await workers.outcomes("bad")] == [0, 1, 1, 2, 2, 3]
    assert (await workers.failed())["bad"].error.code == "timeout"
    assert await workers.completed() == Counter(["shaky", "good"])


async def test_a_refusal_fails_at_once(broker: Broker, workers: Workers) -> None:
    workers.handler.answer("bad", Refused("blocked", "Gemini refuses to answer"))
    await broker.transport.publish([submitted("bad"), submitted("good")])
    await workers.start()
    await workers.settled()
    assert await workers.outcome_names("bad") == ["Started", "Failed"]
    failed = (await workers.failed())["bad"]
    assert (failed.error.code, failed.tries, failed.dead_lettered) == ("blocked", 0, False)
    assert await workers.completed() == Counter(["good"])


async def test_a_submission_held_too_long_is_requeued_and_completes_once(broker: Broker, workers: Workers) -> None:
    workers.handler.answer("slow", TIMED_OUT, Unavailable("503"))
    workers.handler.default_error = Unavailable("503")
    before = datetime.now(UTC)
    await broker.transport.publish([submitted("slow", attempt=3)])
    worker = await workers.start(max_wait=0.3)

    async def copies() -> list[TopicSubmitted]:
        events = [event for event in await stored(broker.transport, SUBMISSIONS) if isinstance(event, TopicSubmitted)]
        return [event for event in events if event.requeued]

    found = await eventually(copies, within=15)
    assert found[0].requeued
    assert (found[0].attempt, found[0].requeued.n, found[0].requeued.tries, found[0].requeued.starts) == (3, 1, 1, 0)
    assert before <= found[0].requeued.since <= datetime.now(UTC)
    workers.handler.default_error = None
    await workers.settled()
    assert await workers.completed() == Counter(["slow"])
    last = (await workers.outcomes("slow"))[-1]
    assert (last.attempt, last.tries) == (3, 1)
    for n, copy in enumerate(await copies(), 1):
        assert copy.requeued == found[0].requeued.model_copy(update={"n": n})
    await eventually(lambda: worker.loop.in_flight == 0, within=5)  # a moment after the broker


async def test_a_requeued_copy_that_arrives_before_its_acknowledgement_is_run(broker: Broker, workers: Workers) -> None:
    """The first is requeued; the second, held longer, ends the outage before the broker acknowledges that."""
    out = asyncio.Event()
    for title in ("first", "second"):
        workers.handler.answer(title, out.wait)
    await broker.transport.publish([submitted("first")])
    await workers.start(max_wait=0.8, answer=0.5)
    await remains(lambda: not workers.handler.called("second"), during=0.5)
    await broker.transport.publish([submitted("second")])
    await eventually(lambda: workers.handler.running["second"], within=15)
    workers.handler.default_error = Unavailable("503")
    out.set()

    async def copied() -> bool:
        return len(await stored(broker.transport, SUBMISSIONS)) == 3

    await eventually(copied, within=15)
    workers.handler.default_error = None
    await workers.settled()
    assert await workers.completed() == Counter(["first", "second"])


async def test_an_unreadable_record_is_dead_lettered_and_its_neighbours_are_handled(
    broker: Broker, workers: Workers
) -> None:
    good, other = submitted("good"), submitted("other")
    unreadable = [
        Record(SUBMISSIONS, "k", {"ce_subject": "k"}, b"\xff\x00"),
        Record(SUBMISSIONS, "k", {**good.headers, "ce_id": "1", "ce_type": "topicflow.Unheard.v1"}, good.data),
        Record(SUBMISSIONS, "k", {**good.headers, "ce_id": "2"}, b'{"id": "k"}'),
        Record(
            SUBMISSIONS,
            "k",
            {**good.headers, "ce_id": "3", "ce_type": "topicflow.SubmissionStarted.v1"},
            started("x").data,
        ),
    ]
    await broker.transport.publish([good, *unreadable, other])
    await workers.start()
    await workers.settled()
    assert await workers.completed() == Counter(["good", "other"])
    letters = [delivery.record for delivery in await read_all(broker.transport, DEAD_LETTERS)]
    assert [letter.data for letter in letters] == [record.data for record in unreadable]
    for letter, record in zip(letters, unreadable, strict=True):
        assert letter.headers["dl_error"] == "invalid_event"
        assert letter.headers["dl_stream"] == SUBMISSIONS
        assert {**letter.headers, **record.headers} == dict(letter.headers)


async def test_a_bug_is_dead_lettered_and_fails_visibly(broker: Broker, workers: Workers) -> None:
    workers.handler.answer("bad", ZeroDivisionError("Überlauf"))
    workers.handler.answer("cancelled", asyncio.CancelledError)  # type: ignore[arg-type]
    await broker.transport.publish([submitted("bad"), submitted("cancelled"), submitted("good")])
    await workers.start()
    await workers.settled()
    failed = await workers.failed()
    assert {(title, f.dead_lettered, f.error.code) for title, f in failed.items()} == {
        ("bad", True, "bug"),
        ("cancelled", True, "bug"),
    }
    letters = {d.record.key: d.record for d in await read_all(broker.transport, DEAD_LETTERS)}
    assert letters.keys() == {topic_id("bad"), topic_id("cancelled")}
    assert letters[topic_id("bad")].headers["dl_message"] == "ZeroDivisionError: \\xdcberlauf"
    assert await workers.completed() == Counter(["good"])


async def test_several_submissions_in_a_row_that_end_in_a_bug_pause_the_worker(
    broker: Broker, workers: Workers
) -> None:
    workers.handler.default_error = ZeroDivisionError("bug")
    await broker.transport.publish(many(10))
    worker = await workers.start(
        concurrency=1, policy=RetryPolicy(bugs_in_a_row=3, first_pause=0.02, longest_pause=0.1)
    )
    await eventually(lambda: len(workers.handler.calls) >= 6, within=15)
    assert worker.loop.gate.waiting_for
    assert worker.loop.gate.waiting_for.reason == "bug"
    assert len(await workers.failed()) == 2
    workers.handler.default_error = None
    await workers.settled()
    assert len(await workers.failed()) == 2
    assert (await workers.completed()).total() == 8


async def test_a_removal_closes_attempts_up_to_its_own(broker: Broker, workers: Workers) -> None:
    await broker.transport.publish([removed("gone", attempt=2), *(submitted("gone", n) for n in (1, 2, 3))])
    await workers.start()
    await workers.settled()
    assert workers.handler.calls == [("gone", 3)]
    assert await workers.outcome_names("gone") == ["Started", "Completed"]


async def test_a_removal_displaces_a_waiting_attempt(broker: Broker, workers: Workers) -> None:
    workers.handler.answer("gone", TIMED_OUT)
    await broker.transport.publish([submitted("gone")])
    worker = await workers.start(policy=LONG)
    await eventually(lambda: workers.outcome_names("gone"), within=15)
    await broker.transport.publish([removed("gone")])
    await workers.settled()
    assert await workers.outcome_names("gone") == ["Started", "Parked"]
    await eventually(lambda: worker.loop.in_flight == 0, within=15)
    await broker.transport.publish([submitted("gone", attempt=2)])
    await workers.settled()
    assert workers.handler.calls == [("gone", 1), ("gone", 2)]


async def test_a_removal_lets_a_running_call_end_but_not_start_again(broker: Broker, workers: Workers) -> None:
    can_end = asyncio.Event()

    async def time_out() -> None:
        await can_end.wait()
        raise TIMED_OUT

    workers.handler.answer("gone", time_out)
    await broker.transport.publish([submitted("gone")])
    worker = await workers.start(policy=LONG)
    await eventually(lambda: workers.handler.running["gone"], within=15)
    await broker.transport.publish([removed("gone"), submitted("other")])
    await eventually(lambda: workers.handler.called("other"), within=15)
    assert worker.loop.in_flight
    can_end.set()
    await workers.settled()
    assert workers.handler.called("gone") == 1


async def test_the_same_attempt_is_never_in_flight_twice(broker: Broker, workers: Workers) -> None:
    can_end = asyncio.Event()
    workers.handler.answer("twice", can_end.wait)
    await broker.transport.publish([submitted("twice")])
    worker = await workers.start()
    await eventually(lambda: workers.handler.running["twice"], within=15)
    requeued = Requeued(n=1, tries=0, starts=0, since=datetime.now(UTC))
    await broker.transport.publish([submitted("twice", requeued=requeued), submitted("other")])
    await eventually(lambda: workers.handler.called("other") and worker.loop.in_flight == 1, within=15)
    can_end.set()
    await workers.settled()
    requeued = requeued.model_copy(update={"n": 2})
    await broker.transport.publish([submitted("twice", requeued=requeued)])
    await workers.settled()
    assert workers.handler.called("twice") == 1
    assert await workers.completed() == Counter(["twice", "other"])


async def test_a_higher_attempt_displaces_a_waiting_lower_one(broker: Broker, workers: Workers) -> None:
    workers.handler.answer("retried", TIMED_OUT)
    await broker.transport.publish([submitted("retried")])
    await workers.start(policy=LONG)
    await eventually(lambda: workers.outcome_names("retried"), within=15)
    await broker.transport.publish([submitted("retried", attempt=2)])
    await workers.settled()
    assert workers.handler.calls == [("retried", 1), ("retried", 2)]
    assert [o.attempt for o in await workers.outcomes("retried")] == [1, 1, 2, 2]


async def test_a_higher_attempt_waits_for_a_running_lower_one(broker: Broker, workers: Workers) -> None:
    can_end = asyncio.Event()
    workers.handler.answer("retried", can_end.wait)
    await broker.transport.publish([submitted("retried")])
    worker = await workers.start()
    await eventually(lambda: workers.handler.running["retried"], within=15)
    await broker.transport.publish([submitted("retried", attempt=2), submitted("retried", attempt=1, force=True)])
    await eventually(lambda: worker.loop.in_flight == 2, within=15)
    assert workers.handler.called("retried") == 1
    can_end.set()
    await workers.settled()
    assert workers.handler.calls == [("retried", 1), ("retried", 2)]
    assert workers.handler.most_running == 1
