"""One execution of a delivery: its id, the usage it paid for, and the events that it may report."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from shared.events import (
    ArticleAnnotated,
    CatalogScanRequested,
    ErrorDetail,
    Outcome,
    SubmissionCompleted,
    SubmissionFailed,
    SubmissionParked,
    SubmissionStarted,
    Usage,
    WorkRequested,
)
from shared.messaging.cloudevents import Record, encode

Reported = Outcome | ArticleAnnotated | CatalogScanRequested  # what a handler returns


class Run:
    def __init__(self, event: WorkRequested, worker: str, crash_count: int = 0) -> None:
        """`crash_count`: crashes of workers that handled the event before."""
        self.id = str(uuid4())
        self.event = event
        self.tries = event.requeued.tries if event.requeued else 0
        self._worker = worker
        self._crash_count = crash_count
        self._usage: list[Usage] = []
        self._attributes = {
            "id": event.id,
            "attempt": event.attempt,
            "kind": event.kind,
            "title": getattr(event, "title", None),
            "urn": getattr(event, "urn", None),
            "submitted_at": event.submitted_at,
            "run": self.id,
            "worker": worker,
        }
        self._encoded: Counter[type[Reported]] = Counter()

    @property
    def is_first(self) -> bool:
        """No run, nor an earlier try of this one, has handled the event before."""
        return not self._crash_count and not self.event.requeued and self._encoded[SubmissionStarted] <= 1

    def record_usage(self, usage: Usage) -> None:
        """Published with the next event of this run, whichever it is."""
        self._usage.append(usage)

    def started(self) -> SubmissionStarted:
        return SubmissionStarted(**self._fields)

    def parked(self, reason: str, until: datetime | None) -> SubmissionParked:
        return SubmissionParked(**self._fields, reason=reason, until=until)

    def completed(
        self, content: dict[str, Any], *, simulated: bool, input_hash: str | None = None
    ) -> SubmissionCompleted:
        return SubmissionCompleted(**self._fields, content=content, simulated=simulated, input_hash=input_hash)

    def skipped(self, input_hash: str) -> SubmissionCompleted:
        """It was done before, and its input is unchanged."""
        return SubmissionCompleted(**self._fields, skipped=True, input_hash=input_hash)

    def annotated(self, urn: str, annotation: dict[str, Any], *, input_hash: str, simulated: bool) -> ArticleAnnotated:
        attributes = {
            "urn": urn,
            "annotation": annotation,
            "input_hash": input_hash,
            "simulated": simulated,
            "annotated_at": datetime.now(UTC),
            "again": not self.is_first,
        }
        return ArticleAnnotated.model_validate(self._fields | attributes)

    def failed(self, code: str, message: str, *, dead_lettered: bool = False) -> SubmissionFailed:
        error = ErrorDetail(code=code, message=message)
        return SubmissionFailed(**self._fields, error=error, dead_lettered=dead_lettered)

    def encode(self, event: Reported) -> Record:
        """Takes the recorded usage, and numbers the event among those of its type."""
        if self._usage and "usage" in type(event).model_fields:
            event = event.model_copy(update={"usage": tuple(self._usage)})
            self._usage.clear()
        n = self._encoded[type(event)]
        self._encoded[type(event)] += 1
        return encode(event, source=self._worker, n=n)

    @property
    def _fields(self) -> dict[str, Any]:
        return self._attributes | {"tries": self.tries}
