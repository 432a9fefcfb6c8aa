"""What is told of a batch when its transaction is over: in the metrics, and a span for each event of a trace."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from shared.observability import tracing
from shared.observability.metrics import PROJECTED_EVENTS, PROJECTION_BATCH, PROJECTION_SECONDS
from status_projector.apply_events import DecodedEvent


@contextmanager
def observed(events: Sequence[DecodedEvent]) -> Iterator[None]:
    """The body is the transaction; of one that is undone nothing is told."""
    began = time.time_ns()
    yield
    ended = time.time_ns()
    PROJECTION_SECONDS.observe((ended - began) / 1e9)
    PROJECTION_BATCH.observe(len(events))
    for kind, number in Counter(type(told.event).__name__ for told in events).items():
        PROJECTED_EVENTS.labels(kind).inc(number)
    for told in events:
        parent = told.delivery.record.headers.get("traceparent", "")
        if tracing.is_recorded(parent):
            about: tracing.Attributes = {"topicflow.submission": told.event.id, "topicflow.attempt": told.event.attempt}
            tracing.record(f"project {type(told.event).__name__}", parent, began, ended, about)
