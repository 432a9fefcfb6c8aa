"""Topics of every status and with every strange title, as the records that tell of them."""

from datetime import timedelta
from typing import Any

from integration.stories import BEGAN, at

from shared.events import (
    ErrorDetail,
    SubmissionCompleted,
    SubmissionEvent,
    SubmissionFailed,
    SubmissionParked,
    SubmissionStarted,
    TopicRemoved,
    TopicSubmitted,
    topic_id,
)
from shared.wire import Record, encode

TIES = 10  # topics that were submitted at the same moment
PENDING = [f"Pending {n}" for n in range(5)]
PARKED = ["Parked"]
PROCESSING = [f"Processing {n}" for n in range(4)]
FAILED = [f"Failed {n:02}" for n in range(12)]
STRANGE = [
    "100% sure",
    "100 sure",
    "snake_case",
    "snakeXcase",
    "Straße",
    "back\\slash",
    "and/or",
    "数据库 design",
    'O\'Reilly "x"',
]
COMPLETED = [*STRANGE, *(f"Completed {n}" for n in range(8))]
TITLES = [*PENDING, *PARKED, *PROCESSING, *FAILED, *COMPLETED]
UNTIL = BEGAN + timedelta(days=999)
LAST = BEGAN + timedelta(hours=2)


def _story(n: int, title: str) -> list[SubmissionEvent]:
    at = BEGAN + timedelta(seconds=n // TIES)
    asked = TopicSubmitted(id=topic_id(title), attempt=1, title=title, submitted_at=at, submitted_by="local")
    about: dict[str, Any] = {"id": asked.id, "kind": "topic", "attempt": 1, "run": f"run {n}", "worker": "worker-1"}
    about |= {"title": title, "submitted_at": at, "legacy_id": 374 if title == "Completed 0" else None}
    if title in PENDING:
        return [asked]
    started = SubmissionStarted(**about)
    if title in PROCESSING:
        return [asked, started]
    if title in PARKED:
        return [asked, started, SubmissionParked(**about, reason="rate_limited", until=UNTIL)]
    if title in FAILED:
        return [asked, SubmissionFailed(**about, error=ErrorDetail(code="refused", message=f"no {title}"))]
    return [asked, started, SubmissionCompleted(**about, content={"title": title, "n": n}, simulated=True)]


def known_records() -> list[Record]:
    gone = _story(0, "Completed, then removed")
    told = [(n, event) for n, title in enumerate(TITLES) for event in _story(n, title)]
    told += [(0, event) for event in (*gone, TopicRemoved(id=gone[0].id, attempt=1, by="local"))]
    records = [at(BEGAN + timedelta(hours=1, seconds=n), encode(event, source="test")) for n, event in told]
    return [*records[:-1], at(LAST, records[-1])]
