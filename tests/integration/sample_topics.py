"""Topics of every status and with unusual titles, as records."""

from datetime import timedelta
from typing import Any

from factories import BEGAN, completed, failed, parked, record, removed, run_fields, started, topic_submitted, usage

from shared.events import ErrorDetail, SubmissionEvent
from shared.messaging.cloudevents import Record

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
PAID = usage(model="gemini", tokens_in=70, tokens_out=700, cost=0.25, seconds=1.5)
UNTIL = BEGAN + timedelta(days=999)
LAST = BEGAN + timedelta(hours=2)


def _events(n: int, title: str) -> list[SubmissionEvent]:
    at = BEGAN + timedelta(seconds=n // TIES)
    submitted = topic_submitted(title, submitted_at=at)
    number = 374 if title == "Completed 0" else None
    fields = run_fields(title, run=f"run {n}", worker="worker-1", submitted_at=at, legacy_id=number)
    if title in PENDING:
        return [submitted]
    if title in PROCESSING:
        return [submitted, started(**fields)]
    if title in PARKED:
        return [submitted, started(**fields), parked(**fields, until=UNTIL)]
    if title in FAILED:
        return [submitted, failed(**fields, error=ErrorDetail(code="refused", message=f"no {title}"))]
    return [submitted, started(**fields), completed(**fields, content=card(title), simulated=True, usage=(PAID,))]


def card(title: str) -> dict[str, Any]:
    """Its filter and sort values differ from one title to the next."""
    n = TITLES.index(title) if title in TITLES else 0
    labels = {"tags": [f"tag {n % 2}", f"tag {n % 3}", "all"], "technologies": [f"technology {n % 4}", "Kafka"]}
    one = {"category": CATEGORIES[n % 2], "subcategory": "sub", "company": f"Company {n % 5}"}
    return {"title": title, "n": n, "difficulty": n % 10 + 1, "complexity_level": "expert"} | one | labels


def sample_records() -> list[Record]:
    hour = BEGAN + timedelta(hours=1)
    events = [(n, k, event) for n, title in enumerate(TITLES) for k, event in enumerate(_events(n, title))]
    events += [(0, k, event) for k, event in enumerate(_events(0, "Completed, then removed"))]
    records = [record(event, hour + timedelta(seconds=n, milliseconds=k)) for n, k, event in events]
    return [*records, record(removed("Completed, then removed"), LAST)]
