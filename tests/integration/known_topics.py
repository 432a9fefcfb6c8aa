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
    return [asked, started, SubmissionCompleted(**about, content=card(title), simulated=True, usage=(PAID,))]


def card(title: str) -> dict[str, Any]:
    """What it can be filtered and sorted by, different from one to the next."""
    n = TITLES.index(title) if title in TITLES else 0
    labels = {"tags": [f"tag {n % 2}", f"tag {n % 3}", "all"], "technologies": [f"technology {n % 4}", "Kafka"]}
    one = {"category": CATEGORIES[n % 2], "subcategory": "sub", "company": f"Company {n % 5}"}
    return {"title": title, "n": n, "difficulty": n % 10 + 1, "complexity_level": "expert"} | one | labels


def known_records() -> list[Record]:
    gone = _story(0, "Completed, then removed")
    told = [(n, k, event) for n, title in enumerate(TITLES) for k, event in enumerate(_story(n, title))]
    told += [(0, k, event) for k, event in enumerate((*gone, TopicRemoved(id=gone[0].id, attempt=1, by="local")))]
    hour = BEGAN + timedelta(hours=1)
    records = [at(hour + timedelta(seconds=n, milliseconds=k), encode(e, source="test")) for n, k, e in told]
    return [*records[:-1], at(LAST, records[-1])]
