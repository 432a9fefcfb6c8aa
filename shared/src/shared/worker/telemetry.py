"""What is told of a delivery while it is handled and when it has ended: in log lines, as a span, in the metrics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

import structlog
from opentelemetry.trace import SpanKind, StatusCode

from shared.observability import tracing
from shared.observability.metrics import DELIVERIES, HANDLING_SECONDS
from shared.worker.in_flight import End, Work
from shared.worker.run import Run

log = structlog.get_logger()
_ENDED = {end: DELIVERIES.labels(end) for end in get_args(End)}


def count_end(work: Work) -> None:
    _ENDED[work.end].inc()


@contextmanager
def observed(work: Work, run: Run) -> Iterator[None]:
    """What is logged and published in the body belongs to this submission. Its task is its own, so nothing leaks."""
    record, event = work.delivery.record, run.event
    began = time.perf_counter()
    structlog.contextvars.bind_contextvars(submission=event.id, attempt=event.attempt, run=run.id)
    parent = record.headers.get("traceparent", "")
    with tracing.span(f"process {record.stream}", SpanKind.CONSUMER, parent) as span:
        try:
            yield
        finally:
            if span.is_recording():
                span.set_attributes(_attributes(work, run))
                if work.error:
                    span.set_status(StatusCode.ERROR)
            if work.settled:
                HANDLING_SECONDS.observe(time.perf_counter() - began)
                _say(work)


def _attributes(work: Work, run: Run) -> tracing.Attributes:
    attributes: dict[str, str | int | float] = {
        "messaging.destination.name": work.delivery.record.stream,
        "topicflow.submission": run.event.id,
        "topicflow.attempt": run.event.attempt,
        "topicflow.run": run.id,
        "topicflow.tries": run.tries,
        "topicflow.end": work.end if work.settled else "handed_back",
    }
    return attributes | ({"error.type": work.error[0]} if work.error else {})


def _say(work: Work) -> None:
    if work.error:
        code, reason = work.error
        log.info("submission ended", end=work.end, code=code, reason=reason)
    else:
        log.debug("submission ended", end=work.end)
