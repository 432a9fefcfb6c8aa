"""Observes a delivery while it is processed: log context, a span, and what is logged and counted when it ends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import get_args

import structlog
from opentelemetry.trace import SpanKind

from shared.observability import tracing
from shared.observability.metrics import DELIVERIES, HANDLING_SECONDS
from shared.worker.in_flight import Ack, Disposition, InFlightDelivery
from shared.worker.run import Run

log = structlog.get_logger()
_COUNTERS = {disposition: DELIVERIES.labels(disposition) for disposition in get_args(Disposition)}


def count_end(ack: Ack) -> None:
    _COUNTERS[ack.disposition].inc()


@dataclass(slots=True)
class Observation:
    ack: Ack | None = None  # None: handed back


@contextmanager
def observed(delivery: InFlightDelivery, run: Run) -> Iterator[Observation]:
    """Log lines and events of the body belong to this submission. It runs in a task of its own, so nothing leaks."""
    record, event = delivery.received.record, run.event
    observation = Observation()
    began = time.perf_counter()
    structlog.contextvars.bind_contextvars(submission=event.id, attempt=event.attempt, run=run.id)
    parent = record.headers.get("traceparent", "")
    with tracing.span(f"process {record.stream}", SpanKind.CONSUMER, parent) as span:
        try:
            yield observation
        finally:
            if span.is_recording():
                span.set_attributes(_attributes(delivery, run, observation.ack))
                if observation.ack and observation.ack.error:
                    tracing.fail(span, observation.ack.error[0])
            if observation.ack:
                HANDLING_SECONDS.observe(time.perf_counter() - began)
                _log(observation.ack)


def _attributes(delivery: InFlightDelivery, run: Run, ack: Ack | None) -> tracing.Attributes:
    return {
        "messaging.destination.name": delivery.received.record.stream,
        "topicflow.submission": run.event.id,
        "topicflow.attempt": run.event.attempt,
        "topicflow.run": run.id,
        "topicflow.tries": run.tries,
        "topicflow.end": ack.disposition if ack else "handed_back",
    }


def _log(ack: Ack) -> None:
    if ack.error:
        code, reason = ack.error
        log.info("submission_ended", end=ack.disposition, code=code, reason=reason)
    else:
        log.debug("submission_ended", end=ack.disposition)
