"""The rule of the projection: a state only grows, so duplicate, late and shuffled events give the same row."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from factories import BEGAN, completed, failed, parked, removed, run_fields, started, topic_submitted
from hypothesis import given
from unit.status_projector.histories import TimedEvent, after, disorders, histories, project

from shared.events import (
    Outcome,
    Removed,
    Requeued,
    SubmissionCompleted,
    SubmissionFailed,
    SubmissionStarted,
    Submitted,
)
from shared.ids import topic_id
from status_projector.submission_state import NewContent, State, advance


@given(disorders())
def test_duplicate_late_and_shuffled_events_give_the_same_row_and_content(
    both: tuple[list[TimedEvent], list[TimedEvent]],
) -> None:
    in_order, disordered = both
    assert project(disordered) == project(in_order)


@given(histories())
def test_the_row_shows_the_highest_rank_of_the_highest_attempt(history: list[TimedEvent]) -> None:
    for id_, row in project(history).items():
        of_it = [h for h in history if h.event.id == id_]
        attempt = max(h.event.attempt for h in of_it)
        assert row.state.attempt == attempt
        last = [h for h in of_it if h.event.attempt == attempt]
        ends = [h for h in last if isinstance(h.event, SubmissionCompleted)]
        ends = ends or [h for h in last if isinstance(h.event, SubmissionFailed)]
        working = [h for h in last if h.is_ordered]
        if any(isinstance(h.event, Removed) for h in last):
            assert row.state.status == "removed"
            assert row.counted_as is None
        elif ends:
            end = min(ends, key=lambda h: (h.time, h.event.run))  # type: ignore[attr-defined]
            shown = "completed" if isinstance(end.event, SubmissionCompleted) else "failed"
            assert (row.state.status, row.state.ended_at) == (shown, end.time)
            assert row.state.run == end.event.run  # type: ignore[attr-defined]
        else:
            is_started = bool(working) and isinstance(working[-1].event, SubmissionStarted)
            assert row.state.status == ("processing" if is_started else "pending")


@given(histories())
def test_created_at_is_the_time_of_the_first_submission(history: list[TimedEvent]) -> None:
    for id_, row in project(history).items():
        times = [
            h.event.submitted_at for h in history if h.event.id == id_ and isinstance(h.event, Submitted | Outcome)
        ]
        assert row.state.created_at == min(times, default=None)


@given(histories())
def test_the_content_is_that_of_the_newest_attempt_with_content_that_was_not_removed(history: list[TimedEvent]) -> None:
    for id_, row in project(history).items():
        of_it = [h for h in history if h.event.id == id_]
        closed = max((h.event.attempt for h in of_it if isinstance(h.event, Removed)), default=0)
        written = [
            (-h.event.attempt, h.time, h.event.run, h.event.content)
            for h in of_it
            if isinstance(h.event, SubmissionCompleted)
            and h.event.content is not None
            and not h.event.skipped
            and h.event.attempt > closed
        ]
        assert row.content == (min(written)[3] if written else None)


@given(histories())
def test_an_error_is_shown_on_failed_rows_only_and_a_wait_on_unfinished_ones(history: list[TimedEvent]) -> None:
    for n in range(len(history)):
        for row in project(history[: n + 1]).values():
            assert (row.state.error_message is not None) == (row.state.status == "failed")
            if row.state.status in {"failed", "completed", "removed"}:
                assert (row.state.waiting_reason, row.state.waiting_until) == (None, None)


# -- the readable cases -------------------------------------------------------------------------------------------


def test_a_submission_is_pending_then_processing_then_completed() -> None:
    history = [topic_submitted(), started(), completed()]
    assert [after(*history[:n]).state.status for n in (1, 2, 3)] == ["pending", "processing", "completed"]


def test_started_may_arrive_before_submitted() -> None:
    row = after(started(None, id=topic_id("Raft")), topic_submitted(title="Raft"))
    assert (row.state.status, row.state.name) == ("processing", "Raft")


def test_a_late_start_does_not_reopen_an_ended_attempt() -> None:
    assert after(topic_submitted(), completed(), started(run="late")).state.status == "completed"


def test_a_parked_row_is_pending_with_a_reason_since_its_first_event() -> None:
    waits = parked(reason="rate_limited", until=BEGAN + timedelta(hours=1))
    state = after(topic_submitted(), waits, started(run="again"), waits).state
    assert (state.status, state.waiting_reason) == ("pending", "rate_limited")
    assert state.waiting_since == BEGAN + timedelta(seconds=1)
    assert state.waiting_until == BEGAN + timedelta(hours=1)


def test_completed_replaces_failed_within_an_attempt_and_removes_its_error() -> None:
    for ends in ([failed(run="a"), completed(run="b")], [completed(run="b"), failed(run="a")]):
        state = after(topic_submitted(), *ends).state
        assert (state.status, state.run, state.error_message, state.error_code) == ("completed", "b", None, None)


@pytest.mark.parametrize("end", [failed, completed])
def test_of_two_ends_of_one_attempt_the_earlier_counts(end: Any) -> None:
    late = TimedEvent(end(run="late"), BEGAN + timedelta(seconds=9))
    early = TimedEvent(end(run="early"), BEGAN + timedelta(seconds=3))
    for order in ([late, early], [early, late]):
        (row,) = project(order).values()
        assert (row.state.run, row.state.ended_at) == ("early", early.time)
        assert row.content in (None, {"title": "by early"})


def test_of_two_ends_at_one_moment_the_run_decides() -> None:
    ends = [TimedEvent(completed(run=run), BEGAN) for run in "ab"]
    for order in (ends, ends[::-1]):
        assert project(order)[topic_id("raft")] == project(ends[:1])[topic_id("raft")]


def test_a_new_attempt_keeps_the_earlier_content_until_it_has_its_own() -> None:
    first = [topic_submitted(), completed(run="first")]
    again = [topic_submitted(attempt=2), started(attempt=2, run="second")]
    assert after(*first, *again).content == {"title": "by first"}
    assert after(*first, *again, failed(attempt=2, run="second")).content == {"title": "by first"}
    assert after(*first, *again, completed(attempt=2, run="second")).content == {"title": "by second"}


def test_a_skipped_completion_leaves_the_content_alone() -> None:
    again = [topic_submitted(attempt=2), completed(attempt=2, run="second", skipped=True)]
    row = after(topic_submitted(), completed(run="first"), *again)
    assert (row.state.status, row.state.attempt, row.content) == ("completed", 2, {"title": "by first"})


def test_an_old_number_that_arrives_later_changes_nothing_else() -> None:
    history = [topic_submitted(title="Raft"), completed(run="first")]
    fields = run_fields(None, run="import", id=topic_id("Raft"), submitted_at=BEGAN + timedelta(days=1))
    numbered = completed(**fields, legacy_id=374, content=None, skipped=True)
    before, row = after(*history), after(*history, numbered)
    assert row.content == before.content == {"title": "by first"}
    assert row.state == replace(before.state, legacy_id=374, updated_at=BEGAN + timedelta(seconds=2))


def test_an_imported_older_end_wins_in_any_order() -> None:
    old, new = TimedEvent(completed(run="import"), BEGAN - timedelta(days=9)), TimedEvent(completed(run="x"), BEGAN)
    start = TimedEvent(topic_submitted(), BEGAN)
    for order in ([start, old, new], [start, new, old]):
        (row,) = project(order).values()
        assert (row.state.run, row.state.ended_at) == ("import", old.time)
        assert row.content == {"title": "by import"}


def test_a_submission_can_have_an_old_number_and_the_smallest_one_stays() -> None:
    numbered = [topic_submitted(legacy_id=7), topic_submitted(attempt=2, legacy_id=5)]
    assert after(*numbered, topic_submitted(attempt=3)).state.legacy_id == 5


def test_the_error_of_an_earlier_attempt_is_not_shown_on_the_next() -> None:
    row = after(topic_submitted(), failed(), topic_submitted(attempt=2))
    assert (row.state.status, row.state.error_message, row.state.ended_at) == ("pending", None, None)


def test_a_removed_submission_is_not_counted_and_late_events_do_not_restore_it() -> None:
    row = after(topic_submitted(attempt=2), removed(attempt=2), completed(attempt=2), completed(attempt=1))
    assert (row.counted_as, row.state.name, row.content) == (None, None, None)


def test_a_removal_closes_its_attempt_and_all_lower_ones_but_not_the_next() -> None:
    row = after(topic_submitted(), completed(run="first"), topic_submitted(attempt=3), removed(attempt=2))
    assert (row.state.status, row.state.attempt, row.content) == ("pending", 3, None)


def test_a_submission_after_a_removal_is_counted_again() -> None:
    row = after(topic_submitted(), completed(), removed(), topic_submitted("RAFT", 2))
    assert (row.counted_as, row.state.name, row.content) == ("pending", "RAFT", None)
    assert row.state.created_at == BEGAN


def test_a_requeued_event_changes_nothing() -> None:
    history = [topic_submitted(), started()]
    copy = topic_submitted(requeued=Requeued(n=1, tries=1, starts=0, since=BEGAN))
    later = replace(after(*history).state, updated_at=BEGAN + timedelta(seconds=2))
    assert after(*history, copy).state == later


def test_the_removal_of_content_is_reported_once() -> None:
    state = State("x", "topic", 0)
    advance(state, completed(), BEGAN)
    assert advance(state, removed(), BEGAN) == NewContent(None)
    assert advance(state, removed(), BEGAN) is None


def test_the_content_is_found_by_its_own_title() -> None:
    row = after(topic_submitted(), completed(content={"title": "The Raft  consensus"}))
    assert row.state.content_id == topic_id("the raft consensus")
