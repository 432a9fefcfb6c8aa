"""Random histories of many submissions as records, in order or shuffled."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from factories import BEGAN, completed, failed, parked, record, removed, run_fields, started, topic_submitted, usage

from shared.events import ErrorDetail, Requeued, SubmissionEvent, Usage
from shared.messaging.broker import Batch, Delivery
from shared.messaging.cloudevents import Record

ORDERED_TYPES = ("topicflow.SubmissionStarted.v1", "topicflow.SubmissionParked.v1")


class SubmissionHistory:
    """Random events of one title, attempt after attempt, one second apart."""

    def __init__(self, title: str, chance: random.Random) -> None:
        self._title = title
        self._chance = chance
        self._at = BEGAN + timedelta(seconds=chance.randrange(1000))
        self.records: list[Record] = []

    def generate(self) -> list[Record]:
        for attempt in range(1, self._chance.randint(1, 3) + 1):
            self._attempt(attempt)
        return self.records

    def _attempt(self, attempt: int) -> None:
        submitted = topic_submitted(self._title, attempt, submitted_at=self._at)
        self._publish(submitted)
        for run in range(self._chance.randint(0, 2)):
            fields = self._fields(attempt, f"run-{run}")
            self._publish(started(**fields))
            if self._chance.random() < 0.3:
                self._publish(parked(**fields, until=self._at, usage=self._paid()))
                self._publish(
                    submitted.model_copy(update={"requeued": Requeued(n=run + 1, tries=0, starts=1, since=BEGAN)})
                )
        end = self._chance.choice(["completed", "completed", "failed", "both", "twice", "removed", "none"])
        if end in {"failed", "both"}:
            error = ErrorDetail(code="refused", message=f"attempt {attempt} was refused")
            self._publish(failed(**self._fields(attempt, "bad run"), error=error, usage=self._paid()))
        for by in {"completed": ["good run"], "both": ["good run"], "twice": ["good run", "late run"]}.get(end, []):
            content: dict[str, Any] = {"title": f"{self._title}, attempt {attempt}", "text": "ü\x00\u2028" * 9}
            content |= {"category": f"category {attempt % 2}", "difficulty": attempt, "tags": ["all", f"tag {attempt}"]}
            self._publish(completed(**self._fields(attempt, by), content=content, usage=self._paid()))
        if end == "removed":
            self._publish(removed(self._title, attempt))

    def _fields(self, attempt: int, run: str) -> dict[str, Any]:
        name = f"{run} of attempt {attempt} at {self._title}"
        return run_fields(self._title, attempt, name, submitted_at=self._at)

    def _paid(self) -> tuple[Usage, ...]:
        call = f"call-{self._title}-{len(self.records)}"
        cut_off = usage(f"{call}, cut off", wasted="cut_off")
        good = usage(call, cost=0.01, shared_by=len(self.records) % 5 + 1)
        return (cut_off, good) if len(self.records) % 3 == 0 else (good,)

    def _publish(self, event: SubmissionEvent) -> None:
        self._at += timedelta(seconds=1)
        self.records.append(record(event, self._at))


def history(submissions: int, seed: int = 1) -> list[Record]:
    """The events of this number of submissions, interleaved."""
    chance = random.Random(seed)
    histories = [iter(SubmissionHistory(f"Topic {n}", chance).generate()) for n in range(submissions)]
    records: list[Record] = []
    while histories:
        events = chance.choice(histories)
        if (record := next(events, None)) is None:
            histories.remove(events)
        else:
            records.append(record)
    return records


def shuffled(records: Sequence[Record], seed: int) -> list[Record]:
    """Duplicated, late and shuffled, but Started and Parked keep their order."""
    chance = random.Random(seed)
    records = [record for record in records for _ in range(chance.choice([1, 1, 2]))]
    shuffled = chance.sample(records, len(records))
    placed = iter([record for record in records if _keeps_its_place(record)])
    return [next(placed) if _keeps_its_place(record) else record for record in shuffled]


def _keeps_its_place(record: Record) -> bool:
    return record.headers["ce_type"] in ORDERED_TYPES


def in_batches(records: Sequence[Record], size: int, start: int = 0) -> Iterator[Batch]:
    """As a reader would hand them over: each with where its streams go on."""
    positions: dict[str, str] = {}
    for first in range(0, len(records), size):
        deliveries = []
        for n, one in enumerate(records[first : first + size], start + first):
            positions[one.stream] = str(n + 1)
            deliveries.append(Delivery(one, 0, str(n)))
        yield Batch(deliveries, {0: dict(positions)})
