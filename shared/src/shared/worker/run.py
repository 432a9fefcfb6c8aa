"""One execution of a delivery: its name, what was paid in it, and the outcome events it reports."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from shared.events import (
    ArticleAnnotated,
    CatalogScanRequested,
    CausesWork,
    ErrorDetail,
    Outcome,
    SubmissionCompleted,
    SubmissionFailed,
    SubmissionParked,
    SubmissionStarted,
    Usage,
)
from shared.messaging.cloudevents import Record, encode

Reported = Outcome | ArticleAnnotated | CatalogScanRequested  # of a run


class Run:
    def __init__(self, event: CausesWork, worker: str, deaths: int = 0) -> None:
        """`deaths`: of workers that handled the event before."""
        self.id = str(uuid4())
        self.event = event
        self.tries = event.requeued.tries if event.requeued else 0
        self._worker = worker
        self._deaths = deaths
        self._usage: list[Usage] = []
        self._about = {
            "id": event.id,
            "attempt": event.attempt,
            "kind": event.kind,
            "title": getattr(event, "title", None),
            "urn": getattr(event, "urn", None),
            "submitted_at": event.submitted_at,
            "run": self.id,
            "worker": worker,
        }
        self._said: Counter[type[Reported]] = Counter()

    @property
    def is_first(self) -> bool:
        """Nobody has handled the event before, neither another run nor an earlier turn of this one."""
        return not self._deaths and not self.event.requeued and self._said[SubmissionStarted] <= 1

    def paid(self, usage: Usage) -> None:
        """Booked on the next outcome of this run, whatever it is."""
        self._usage.append(usage)

    def started(self) -> Record:
        return self.record(SubmissionStarted(**self._fields()))

    def parked(self, reason: str, until: datetime | None) -> Record:
        return self.record(SubmissionParked(**self._fields(), reason=reason, until=until))

    def completed(
        self, content: dict[str, Any], *, simulated: bool, input_hash: str | None = None
    ) -> SubmissionCompleted:
        return SubmissionCompleted(**self._fields(), content=content, simulated=simulated, input_hash=input_hash)

    def skipped(self, input_hash: str) -> SubmissionCompleted:
        """It is done already: there is nothing new."""
        return SubmissionCompleted(**self._fields(), skipped=True, input_hash=input_hash)

    def annotated(self, urn: str, annotation: dict[str, Any], *, input_hash: str, simulated: bool) -> ArticleAnnotated:
        about = {
            "annotation": annotation,
            "input_hash": input_hash,
            "simulated": simulated,
            "annotated_at": datetime.now(UTC),
            "again": not self.is_first,
        }
        return ArticleAnnotated.model_validate(self._fields() | {"urn": urn} | about)

    def failed(self, code: str, message: str, *, dead_lettered: bool = False) -> Record:
        error = ErrorDetail(code=code, message=message)
        return self.record(SubmissionFailed(**self._fields(), error=error, dead_lettered=dead_lettered))

    def record(self, reported: Reported) -> Record:
        n = self._said[type(reported)]
        self._said[type(reported)] += 1
        return encode(reported, source=self._worker, n=n)

    def _fields(self) -> dict[str, Any]:
        usage, self._usage = tuple(self._usage), []
        return self._about | {"tries": self.tries, "usage": usage}
