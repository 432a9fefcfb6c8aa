"""The day of quotas and bills."""

from datetime import datetime

import pytest

from shared.llm.quota_day import day_of, end_of_day


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-01-15T07:59:00+00:00", "2026-01-15T08:00:00+00:00"),
        ("2026-01-15T08:00:00+00:00", "2026-01-16T08:00:00+00:00"),
        ("2026-07-15T12:00:00+00:00", "2026-07-16T07:00:00+00:00"),
        ("2026-03-08T09:00:00+00:00", "2026-03-09T07:00:00+00:00"),  # the clocks go forward on that day
        ("2026-11-01T08:30:00+00:00", "2026-11-02T08:00:00+00:00"),
    ],
)
def test_a_day_ends_at_midnight_in_california(now: str, end: str) -> None:
    assert end_of_day(datetime.fromisoformat(now)) == datetime.fromisoformat(end)


def test_a_time_belongs_to_its_day_in_california() -> None:
    assert day_of(datetime.fromisoformat("2026-05-02T06:59:59+00:00")) == "2026-05-01"
    assert day_of(datetime.fromisoformat("2026-05-02T07:00:00+00:00")) == "2026-05-02"
