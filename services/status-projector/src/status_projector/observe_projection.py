"""Reports a batch when its transaction has ended: in the metrics, and a span for each event of a trace."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from shared.observability import tracing
from shared.observability.metrics import PROJECTED_EVENTS, PROJECTION_BATCH, PROJECTION_SECONDS
from status_projector.apply_events import DecodedEvent


@contextmanager
def observed(events: Sequence[DecodedEvent]) -> Iterator[None]:
    """The body is the transaction; nothing is reported if it is rolled back."""
    began = time.time_ns()
    yield
    ended = time.time_ns()
    PROJECTION_SECONDS.observe((ended - began) / 1e9)
    PROJECTION_BATCH.observe(len(events))
    for kind, number in Counter(type(decoded.event).__name__ for decoded in events).items():
        PROJECTED_EVENTS.labels(kind).inc(number)
    for decoded in events:
        parent = decoded.delivery.record.headers.get("traceparent", "")
        if tracing.is_recorded(parent):
            attributes: tracing.Attributes = {
                "topicflow.submission": decoded.event.id,
                "topicflow.attempt": decoded.event.attempt,
            }
            tracing.record(f"project {type(decoded.event).__name__}", parent, began, ended, attributes)
