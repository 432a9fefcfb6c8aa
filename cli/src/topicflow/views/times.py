"""Formats times and durations for display; the API's are RFC 3339 in UTC."""

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def parse_time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def local_time(value: object) -> str:
    """`14:05:07` today, `2026-02-28 14:05` on other days, in the local time zone; empty if `value` is not a time."""
    time = parse_time(value)
    if time is None:
        return ""
    time = time.astimezone()
    today = time.date() == datetime.now(UTC).astimezone().date()
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def duration(seconds: float) -> str:
    """`0.4 s`, `45 s`, `3 min`, `2 h`, `5 d`."""
    if seconds < 1:
        return f"{seconds:.1f} s"
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def ago(value: object) -> str:
    time = parse_time(value)
    return f"{duration(max(0.0, (datetime.now(UTC) - time).total_seconds()))} ago" if time else "never"
