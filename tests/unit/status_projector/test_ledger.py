"""Wasted calls: derived from all answers of an attempt, in any order of their events."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from factories import completed, failed, parked, usage

from shared.events import SubmissionEvent, Usage
from shared.ids import topic_id
from status_projector.ledger import LedgerChanges, LedgerEntry, book, ledger_entries

BEGAN = datetime(2026, 5, 2, 6, 59, tzinfo=UTC)  # a minute to midnight in California
PARTITIONS = {topic_id("One"): 3, topic_id("Two"): 4}
SHARE: dict[str, Any] = {"model": "m", "tokens_in": 10, "tokens_out": 20, "seconds": 1.0, "cost": 0.5}


def ended(run: str, *usage: Usage, title: str = "One", attempt: int = 1) -> SubmissionEvent:
    return completed(title, attempt, run, usage=usage)


def call(name: str, **fields: Any) -> Usage:
    return usage(name, **SHARE | fields)


def entries_of(*events: SubmissionEvent) -> list[LedgerEntry]:
    """Entries of the events, one second apart."""
    return [p for n, event in enumerate(events) for p in ledger_entries(event, BEGAN + timedelta(seconds=n))]


def wasted(booked: LedgerChanges) -> dict[str, str]:
    return {paid.call_id: paid.wasted for paid in (*booked.added, *booked.changed)}


def summed(booked: LedgerChanges) -> dict[str, list[int]]:
    return {total[5]: moved for total, moved in booked.totals.items() if any(moved)}


def test_of_two_answers_of_one_attempt_the_earlier_is_used_and_the_other_is_repeated() -> None:
    booked = book([], entries_of(ended("first", call("a")), ended("second", call("b"))), PARTITIONS)
    assert wasted(booked) == {"a": "", "b": "repeated"}
    assert summed(booked) == {
        "": [60, 0, 10, 20, 0, 0, 500_000_000],
        "repeated": [60, 0, 10, 20, 0, 0, 500_000_000],
    }


def test_each_attempt_and_each_submission_is_decided_alone() -> None:
    events = (
        ended("1", call("a")),
        ended("2", call("b"), attempt=2),
        ended("3", call("c"), title="Two"),
    )
    assert wasted(book([], entries_of(*events), PARTITIONS)) == {"a": "", "b": "", "c": ""}


def test_usage_that_the_worker_marked_as_wasted_stays_wasted() -> None:
    events = (ended("1", call("a", wasted="cut_off"), call("b")),)
    assert wasted(book([], entries_of(*events), PARTITIONS)) == {"a": "cut_off", "b": ""}


@pytest.mark.parametrize("end", [failed("One", usage=(call("a"),)), parked("One", usage=(call("a"),))])
def test_usage_without_a_completion_is_not_used(end: SubmissionEvent) -> None:
    assert wasted(book([], entries_of(end), PARTITIONS)) == {"a": "not_used"}


def test_rows_and_totals_are_the_same_in_any_order_and_batches() -> None:
    events = [
        ended("late", call("late")),
        ended("early", call("early", cost=None, shared_by=5), call("bad", wasted="invalid")),
        ended("latest", call("latest")),
    ]
    times = [BEGAN + timedelta(minutes=n) for n in (2, 0, 3)]
    for order in permutations(range(3)):
        rows: dict[str, LedgerEntry] = {}
        totals: dict[Any, list[int]] = {}
        for n in (*order, *order):  # and everything twice
            booked = book(rows.values(), ledger_entries(events[n], times[n]), PARTITIONS)
            rows |= {paid.call_id: paid for paid in (*booked.added, *booked.changed)}
            for total, moved in booked.totals.items():
                totals[total] = [a + b for a, b in zip(totals.get(total, [0] * 7), moved, strict=True)]
        assert {name: paid.wasted for name, paid in rows.items()} == {
            "early": "",
            "bad": "invalid",
            "late": "repeated",
            "latest": "repeated",
        }
        of_use = {total: moved for total, moved in totals.items() if total[5] == "" and any(moved)}
        assert of_use == {("2026-05-01", "topic", "m", "", False, "", 3): [12, 12, 10, 20, 0, 0, 0]}
        repeated = {total: moved for total, moved in totals.items() if total[5] == "repeated" and any(moved)}
        assert repeated == {("2026-05-02", "topic", "m", "", False, "repeated", 3): [120, 0, 20, 40, 0, 0, 10**9]}
