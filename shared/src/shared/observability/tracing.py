"""One trace from POST to projection: spans of OpenTelemetry, whose context travels in the records' `traceparent`.

Spans are recorded only if an OTLP endpoint is set: `otlp.py` is imported then. Without one they only pass on the trace
of an incoming request or record. Whoever begins a trace decides whether it is recorded; everyone after follows
(W3C Trace Context).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NoOpTracer,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    format_trace_id,
    get_current_span,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Attributes = Mapping[str, str | int | float]
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_W3C = TraceContextTextMapPropagator()
_SAMPLED = frozenset("13579bdf")  # the last bit of the flags
_tracer: Tracer = NoOpTracer()
_provider: "TracerProvider | None" = None


def set_up(service: str, instance: str) -> None:
    """Records the spans of this process from now on, if the environment names an endpoint."""
    global _tracer, _provider
    is_disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_disabled or os.environ.get("OTEL_TRACES_EXPORTER") == "none" or not any(map(os.environ.get, ENDPOINTS)):
        return
    from shared.observability import otlp

    _provider = otlp.provider_of(service, instance)
    _tracer = _provider.get_tracer("topicflow", __version__)


def shut_down() -> None:
    """Sends recorded spans, for a few seconds at most."""
    global _tracer, _provider
    if _provider:
        from shared.observability import otlp

        otlp.shut_down(_provider)
    _tracer, _provider = NoOpTracer(), None


def current() -> SpanContext:
    return get_current_span().get_span_context()


def traceparent() -> str:
    """The header of the current span; "" outside of a trace."""
    headers: dict[str, str] = {}
    _W3C.inject(headers)
    return headers.get("traceparent", "")


def trace_id() -> str:
    """Hexadecimal; "" outside of a trace."""
    context = current()
    return format_trace_id(context.trace_id) if context.is_valid else ""


def is_recorded(traceparent: str) -> bool:
    return _provider is not None and traceparent[-1:] in _SAMPLED


@contextmanager
def span(name: str, kind: SpanKind, parent: str | None = None, links: Sequence[SpanContext] = ()) -> Iterator[Span]:
    """Makes a span current. `parent`: an incoming traceparent, "" if there was none; None: the current span.

    An exception gives it the attribute `error.type`; a cancellation does not.
    """
    context = None if parent is None else _context_of(parent)
    span = _tracer.start_span(name, context, kind, links=[Link(link) for link in links])
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield span
        except Exception as error:
            fail(span, type(error).__name__)
            raise


def fail(span: Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)


def record(name: str, parent: str, began: int, ended: int, attributes: Attributes) -> None:
    """A span of something that is over; none if `parent` is no traceparent. Times in nanoseconds. Call it only if
    `is_recorded`."""
    context = _context_of(parent)
    if get_current_span(context).get_span_context().is_valid:
        _tracer.start_span(name, context, attributes=dict(attributes), start_time=began).end(ended)


def _context_of(traceparent: str) -> Context:
    return _W3C.extract({"traceparent": traceparent}, Context())
