"""The number of article attempts that workers ended, by outcome: table `ends`, shown by /worker/status."""

from datetime import timedelta

from factories import BEGAN, URN, completed, failed, record
from integration.event_history import in_batches
from integration.projected import Projected

from shared.events import Outcome
from shared.messaging.cloudevents import Record


def records_of(*ends: Outcome) -> list[Record]:
    """One second apart."""
    return [record(end, BEGAN + timedelta(seconds=n)) for n, end in enumerate(ends)]


def processed(run: str, attempt: int = 1) -> Outcome:
    return completed(None, attempt, run, urn=URN)


def skipped(run: str, attempt: int = 1) -> Outcome:
    return completed(None, attempt, run, urn=URN, content=None, skipped=True)


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
    ended = (failed(None, run="one", urn=URN), processed("two", 2), skipped("three", 3), processed("four", 4))
    assert await ends(projected, *ended, size=2) == {"processed": 2, "failed": 1, "skipped": 1}
