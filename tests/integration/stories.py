"""Many submissions as records, told in order or in disorder, and what the projection's tables hold of them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.events import (
    ErrorDetail,
    Requeued,
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
from shared.messaging.broker import Batch, Delivery
from shared.messaging.cloudevents import Record, encode

BEGAN = datetime(2026, 5, 1, tzinfo=UTC)
KEEP_THEIR_PLACE = ("topicflow.SubmissionStarted.v1", "topicflow.SubmissionParked.v1")


class Story:
    """What happens to one title, attempt after attempt; a second passes with each event."""

    def __init__(self, title: str, chance: random.Random) -> None:
        self._title = title
        self._chance = chance
        self._at = BEGAN + timedelta(seconds=chance.randrange(1000))
        self.records: list[Record] = []

    def tell(self) -> list[Record]:
        for attempt in range(1, self._chance.randint(1, 3) + 1):
            self._attempt(attempt)
        return self.records

    def _attempt(self, attempt: int) -> None:
        asked = TopicSubmitted(
            id=topic_id(self._title), attempt=attempt, title=self._title, submitted_at=self._at, submitted_by="local"
        )
        self._say(asked)
        for run in range(self._chance.randint(0, 2)):
            about = self._about(attempt, f"run-{run}")
            self._say(SubmissionStarted(**about))
            if self._chance.random() < 0.3:
                self._say(SubmissionParked(**about, reason="rate_limited", until=self._at, usage=self._paid()))
                self._say(asked.model_copy(update={"requeued": Requeued(n=run + 1, tries=0, starts=1, since=BEGAN)}))
        end = self._chance.choice(["completed", "completed", "failed", "both", "twice", "removed", "none"])
        if end in {"failed", "both"}:
            error = ErrorDetail(code="refused", message=f"attempt {attempt} was refused")
            self._say(SubmissionFailed(**self._about(attempt, "bad run"), error=error, usage=self._paid()))
        for by in {"completed": ["good run"], "both": ["good run"], "twice": ["good run", "late run"]}.get(end, []):
            content: dict[str, Any] = {"title": f"{self._title}, told {attempt} times", "text": "ü\x00\u2028" * 9}
            content |= {"category": f"category {attempt % 2}", "difficulty": attempt, "tags": ["all", f"tag {attempt}"]}
            self._say(SubmissionCompleted(**self._about(attempt, by), content=content, usage=self._paid()))
        if end == "removed":
            self._say(TopicRemoved(id=topic_id(self._title), attempt=attempt, by="local"))

    def _about(self, attempt: int, run: str) -> dict[str, Any]:
        name = f"{run} of attempt {attempt} at {self._title}"
        about = {"id": topic_id(self._title), "kind": "topic", "attempt": attempt, "run": name, "worker": "worker-1"}
        return about | {"title": self._title, "submitted_at": self._at}

    def _paid(self) -> tuple[Usage, ...]:
        call = f"call-{self._title}-{len(self.records)}"
        about: dict[str, Any] = {"prompt_version": "1", "tokens_in": 9, "tokens_out": 99, "seconds": 0.5}
        cut_off = Usage(call_id=f"{call}, cut off", model="m", **about, wasted="cut_off")
        good = Usage(call_id=call, model="m", **about, cost=0.01, shared_by=len(self.records) % 5 + 1)
        return (cut_off, good) if len(self.records) % 3 == 0 else (good,)

    def _say(self, event: SubmissionEvent) -> None:
        self._at += timedelta(seconds=1)
        self.records.append(at(self._at, encode(event, source="worker-1")))


def at(time: datetime, record: Record) -> Record:
    return replace(record, headers={**record.headers, "ce_time": time.isoformat()})


def history(submissions: int, seed: int = 1) -> list[Record]:
    """The events of so many submissions, beside each other."""
    chance = random.Random(seed)
    stories = [iter(Story(f"Topic {n}", chance).tell()) for n in range(submissions)]
    told: list[Record] = []
    while stories:
        story = chance.choice(stories)
        if (record := next(story, None)) is None:
            stories.remove(story)
        else:
            told.append(record)
    return told


def in_disorder(records: Sequence[Record], seed: int) -> list[Record]:
    """Doubled, late and shuffled, but Started and Parked keep their order."""
    chance = random.Random(seed)
    told = [record for record in records for _ in range(chance.choice([1, 1, 2]))]
    shuffled = chance.sample(told, len(told))
    placed = iter([record for record in told if _keeps_its_place(record)])
    return [next(placed) if _keeps_its_place(record) else record for record in shuffled]


def _keeps_its_place(record: Record) -> bool:
    return record.headers["ce_type"] in KEEP_THEIR_PLACE


def in_batches(records: Sequence[Record], size: int, start: int = 0) -> Iterator[Batch]:
    """As a reader would hand them over: each with where its streams go on."""
    positions: dict[str, str] = {}
    for first in range(0, len(records), size):
        deliveries = []
        for n, record in enumerate(records[first : first + size], start + first):
            positions[record.stream] = str(n + 1)
            deliveries.append(Delivery(record, 0, str(n)))
        yield Batch(deliveries, {0: dict(positions)})
