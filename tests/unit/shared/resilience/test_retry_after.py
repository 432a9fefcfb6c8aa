"""Retry-After is read in both of its forms, whoever sends it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from shared.resilience.retry_after import retry_after_seconds


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), (" 7 ", 7.0), ("0.4", 0.4), ("0", 0.0)])
def test_it_may_be_a_number_of_seconds(value: str, seconds: float) -> None:
    assert retry_after_seconds(value) == seconds


def test_it_may_be_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    assert retry_after_seconds(in_a_minute) == pytest.approx(60, abs=5)
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 -0000") == 0


@pytest.mark.parametrize("value", [None, "", "soon", "-3", "1e9", "٣", "9" * 400, "99 Foo 9999 99:99:99 GMT", "\0"])
def test_anything_else_is_ignored(value: str | None) -> None:
    assert retry_after_seconds(value) is None
