"""The rate that the benchmark `scale` computes."""

from datetime import UTC, datetime, timedelta

import pytest
from bench.scale import steady

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def ends(first: float, last: float, every: float) -> list[datetime]:
    """Seconds."""
    return [BEGAN + timedelta(seconds=first + n * every) for n in range(round((last - first) / every) + 1)]


def test_only_what_ended_while_all_worked_is_counted() -> None:
    early, late = ends(0, 20, 0.1), ends(5, 30, 0.05)
    assert steady([early, late], BEGAN) == pytest.approx(10 + 20, rel=0.01)


def test_nothing_counts_before_the_last_work_was_published() -> None:
    slow_at_first = ends(0, 10, 1) + ends(10, 20, 0.1)
    assert steady([slow_at_first], BEGAN + timedelta(seconds=10)) == pytest.approx(10, rel=0.01)


def test_workers_that_never_worked_at_the_same_time_have_no_rate() -> None:
    with pytest.raises(AssertionError, match="not all had work"):
        steady([ends(0, 5, 0.1), ends(6, 10, 0.1)], BEGAN)
