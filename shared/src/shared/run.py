"""One execution of a delivery: its name, what was paid in it, and the outcome events it reports."""

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import uuid4

from shared.events import (
    ErrorDetail,
    Outcome,
    SubmissionCompleted,
    SubmissionFailed,
    SubmissionParked,
    SubmissionStarted,
    Submitted,
    TopicSubmitted,
    Usage,
)
from shared.wire import Record, encode


class Run:
    def __init__(self, event: Submitted, worker: str) -> None:
        self.id = str(uuid4())
        self.event = event
        self.tries = event.requeued.tries if event.requeued else 0
        self._worker = worker
        self._usage: list[Usage] = []
        self._said: Counter[type[Outcome]] = Counter()

    def paid(self, usage: Usage) -> None:
        """Booked on the next outcome of this run, whatever it is."""
        self._usage.append(usage)

    def started(self) -> Record:
        return self.record(SubmissionStarted(**self._fields()))

    def parked(self, reason: str, until: datetime | None) -> Record:
        return self.record(SubmissionParked(**self._fields(), reason=reason, until=until))

    def completed(self, content: dict[str, Any], *, simulated: bool) -> SubmissionCompleted:
        return SubmissionCompleted(**self._fields(), content=content, simulated=simulated)

    def failed(self, code: str, message: str, *, dead_lettered: bool = False) -> Record:
        error = ErrorDetail(code=code, message=message)
        return self.record(SubmissionFailed(**self._fields(), error=error, dead_lettered=dead_lettered))

    def record(self, outcome: Outcome) -> Record:
        n = self._said[type(outcome)]
        self._said[type(outcome)] += 1
        return encode(outcome, source=self._worker, n=n)

    def _fields(self) -> dict[str, Any]:
        usage, self._usage = tuple(self._usage), []
        return {
            "id": self.event.id,
            "attempt": self.event.attempt,
            "kind": self.event.kind,
            "title": self.event.title if isinstance(self.event, TopicSubmitted) else None,
            "submitted_at": self.event.submitted_at,
            "run": self.id,
            "worker": self._worker,
            "tries": self.tries,
            "usage": usage,
        }
