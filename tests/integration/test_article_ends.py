"""The number of article attempts that workers ended, by outcome: table `ends`, shown by /worker/status."""

from datetime import timedelta
from typing import Any

from integration.event_history import BEGAN, at, in_batches
from integration.projected import Projected

from shared.events import ErrorDetail, Outcome, SubmissionCompleted, SubmissionFailed
from shared.ids import article_id
from shared.messaging.cloudevents import Record, encode

URN = "urn:article:oats"


def records_of(*ends: Outcome) -> list[Record]:
    """One second apart."""
    return [at(BEGAN + timedelta(seconds=n), encode(end, source="enricher-1")) for n, end in enumerate(ends)]


def attributes(run: str, attempt: int = 1) -> dict[str, Any]:
    attributes = {"id": article_id(URN), "kind": "article", "urn": URN, "attempt": attempt, "run": run}
    return attributes | {"worker": "enricher-1", "submitted_at": BEGAN}


def processed(run: str, attempt: int = 1) -> Outcome:
    return SubmissionCompleted(**attributes(run, attempt), content={"keywords": ["oats"]})


def skipped(run: str, attempt: int = 1) -> Outcome:
    return SubmissionCompleted(**attributes(run, attempt), skipped=True)


def failed(run: str, attempt: int = 1) -> Outcome:
    return SubmissionFailed(**attributes(run, attempt), error=ErrorDetail(code="no_text", message="nothing to read"))


async def ends(projected: Projected, *ended: Outcome, size: int) -> dict[str, int]:
    await projected.project(in_batches(records_of(*ended), size))
    return dict(projected.rows("SELECT ended, sum(attempts) FROM ends GROUP BY ended"))


async def test_an_attempt_ended_by_two_workers_counts_once_with_the_first_outcome(
    projected: Projected,
) -> None:
    one_by_one = (processed("one"), skipped("two"), processed("three"))
    assert await ends(projected, *one_by_one, size=1) == {"processed": 1}
    assert await ends(projected, *one_by_one, size=3) == {"processed": 1}


async def test_an_attempt_ended_twice_in_one_batch_counts_once(projected: Projected) -> None:
    assert await ends(projected, skipped("one"), processed("two"), skipped("one"), size=3) == {"skipped": 1}


async def test_each_attempt_counts(projected: Projected) -> None:
    ended = (failed("one"), processed("two", 2), skipped("three", 3), processed("four", 4))
    assert await ends(projected, *ended, size=2) == {"processed": 2, "failed": 1, "skipped": 1}
