"""The cost of observability in µs: `cd tests && ../.venv/bin/python -m bench.observability_cost`."""

import os
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from factories import topic_submitted
from opentelemetry.trace import SpanKind

from shared.events import TopicSubmitted
from shared.messaging.broker import Delivery
from shared.messaging.cloudevents import Record, encode
from shared.observability import logs, tracing
from shared.worker.in_flight import Ack, InFlightDelivery
from shared.worker.run import Run
from shared.worker.telemetry import count_end, observed
from status_projector.apply_events import decode_event
from status_projector.observe_projection import observed as observed_batch

ROUNDS = 20_000
COMPLETED = Ack("completed", ends_attempt=True)
SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KINDS = {"no traceparent": "", "an unsampled one": SAMPLED[:-1] + "0", "a sampled one": SAMPLED}


def submitted(traceparent: str) -> tuple[TopicSubmitted, Record]:
    event = topic_submitted()
    record = encode(event, source="bench")
    return event, replace(record, headers={**record.headers, **({"traceparent": traceparent} if traceparent else {})})


def each(name: str, act: Callable[[], None]) -> None:
    """The best of three."""
    seconds = min(timeit.repeat(act, number=1, repeat=3))
    print(f"{name:62} {seconds / ROUNDS * 1e6:7.2f} µs")


def deliveries(traceparent: str) -> None:
    event, record = submitted(traceparent)
    run, delivery = Run(event, "bench"), Delivery(record, 0, "0-1")
    for _ in range(ROUNDS):
        with observed(InFlightDelivery(delivery), run) as observation:
            observation.ack = COMPLETED
            count_end(COMPLETED)


def batches(traceparent: str) -> None:
    _, record = submitted(traceparent)
    events = [decode_event(Delivery(record, 0, str(n))) for n in range(1000)]
    for _ in range(ROUNDS // 1000):
        with observed_batch(events):
            pass


def encodings(traceparent: str) -> None:
    event, _ = submitted("")
    with tracing.span("bench", SpanKind.INTERNAL, traceparent):
        for _ in range(ROUNDS):
            encode(event, source="bench")


@contextmanager
def recording() -> Iterator[None]:
    os.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_MAX_QUEUE_SIZE": "100000"}
    tracing.set_up("bench", "bench")
    yield
    tracing.shut_down()


def measure(state: str) -> None:
    for name, traceparent in KINDS.items():
        each(f"a delivery, tracing {state}, {name}", partial(deliveries, traceparent))
        each(f"an event projected, tracing {state}, {name}", partial(batches, traceparent))
        each(f"an event encoded, tracing {state}, {name}", partial(encodings, traceparent))


def main() -> None:
    logs.set_up("bench", "bench", "INFO")
    measure("off")
    with recording():
        measure("on")


if __name__ == "__main__":
    main()
