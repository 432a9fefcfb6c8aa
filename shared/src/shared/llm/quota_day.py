"""Gemini's day for quotas, billing and budgets: midnight to midnight in California."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_PACIFIC = ZoneInfo("America/Los_Angeles")


def day_of(time: datetime) -> str:
    """As 2026-11-24."""
    return time.astimezone(_PACIFIC).date().isoformat()


def end_of_day(now: datetime | None = None) -> datetime:
    """The next midnight there, in UTC."""
    tomorrow = (now or datetime.now(UTC)).astimezone(_PACIFIC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, datetime.min.time(), _PACIFIC).astimezone(UTC)
