"""Topics of every status and with unusual titles, as records."""

from datetime import timedelta
from typing import Any

from integration.event_history import BEGAN, at

from shared.events import (
    ErrorDetail,
    SubmissionCompleted,
    SubmissionEvent,
    SubmissionFailed,
    SubmissionParked,
    SubmissionStarted,
    TopicRemoved,
    TopicSubmitted,
    Usage,
)
from shared.ids import topic_id
from shared.messaging.cloudevents import Record, encode

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
CATEGORIES = ("databases", "security")
PAID = Usage(
    call_id="call",
    model="gemini",
    prompt_version="1",
    tokens_in=70,
    tokens_out=700,
    cost=0.25,
    seconds=1.5,
    shared_by=1,
)
UNTIL = BEGAN + timedelta(days=999)
LAST = BEGAN + timedelta(hours=2)


def _events(n: int, title: str) -> list[SubmissionEvent]:
    at = BEGAN + timedelta(seconds=n // TIES)
    submitted = TopicSubmitted(id=topic_id(title), attempt=1, title=title, submitted_at=at, submitted_by="local")
    attributes: dict[str, Any] = {
        "id": submitted.id,
        "kind": "topic",
        "attempt": 1,
        "run": f"run {n}",
        "worker": "worker-1",
    }
    attributes |= {"title": title, "submitted_at": at, "legacy_id": 374 if title == "Completed 0" else None}
    if title in PENDING:
        return [submitted]
    started = SubmissionStarted(**attributes)
    if title in PROCESSING:
        return [submitted, started]
    if title in PARKED:
        return [submitted, started, SubmissionParked(**attributes, reason="rate_limited", until=UNTIL)]
    if title in FAILED:
        return [submitted, SubmissionFailed(**attributes, error=ErrorDetail(code="refused", message=f"no {title}"))]
    return [submitted, started, SubmissionCompleted(**attributes, content=card(title), simulated=True, usage=(PAID,))]


def card(title: str) -> dict[str, Any]:
    """Its filter and sort values differ from one title to the next."""
    n = TITLES.index(title) if title in TITLES else 0
    labels = {"tags": [f"tag {n % 2}", f"tag {n % 3}", "all"], "technologies": [f"technology {n % 4}", "Kafka"]}
    one = {"category": CATEGORIES[n % 2], "subcategory": "sub", "company": f"Company {n % 5}"}
    return {"title": title, "n": n, "difficulty": n % 10 + 1, "complexity_level": "expert"} | one | labels


def sample_records() -> list[Record]:
    gone = _events(0, "Completed, then removed")
    events = [(n, k, event) for n, title in enumerate(TITLES) for k, event in enumerate(_events(n, title))]
    events += [(0, k, event) for k, event in enumerate((*gone, TopicRemoved(id=gone[0].id, attempt=1, by="local")))]
    hour = BEGAN + timedelta(hours=1)
    records = [at(hour + timedelta(seconds=n, milliseconds=k), encode(e, source="test")) for n, k, e in events]
    return [*records[:-1], at(LAST, records[-1])]
