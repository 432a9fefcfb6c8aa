"""Spans, recorded and sent by OpenTelemetry over OTLP/HTTP: this is the only file that knows it.

Its standard variables (OTEL_…) are read by itself. A collector that does not answer costs one warning and nothing else.
"""

import logging
from collections.abc import Sequence
from threading import Thread

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.span import SpanContext, TraceFlags

from shared import __version__
from shared.observability import tracing

log = structlog.get_logger()
SHUTDOWN = 3.0  # seconds to send what is left


class Recorder:
    def __init__(self, service: str, instance: str) -> None:
        ours = {"service.name": service, "service.version": __version__, "service.instance.id": instance}
        resource = Resource.create(ours).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_Quiet(OTLPSpanExporter())))
        self._tracer = self._provider.get_tracer("topicflow", __version__)
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)  # a line for each retry
        logging.getLogger("opentelemetry.sdk._shared_internal").addFilter(_Once())  # a full queue, every 20 s

    def begin(
        self, name: str, kind: tracing.Kind, parent: str, links: Sequence[str] = (), at: int | None = None
    ) -> Span:
        """`parent` and `links` are traceparents; `at` is in nanoseconds, now if None."""
        context = set_span_in_context(NonRecordingSpan(_context_of(parent))) if parent else None
        linked = [Link(_context_of(link)) for link in links]
        return self._tracer.start_span(name, context, SpanKind[kind.upper()], links=linked, start_time=at)

    @staticmethod
    def end(span: Span, name: str, attributes: tracing.Attributes, at: int | None = None) -> None:
        if span.is_recording():
            span.update_name(name)
            span.set_attributes(attributes)
            if "error.type" in attributes:
                span.set_status(Status(StatusCode.ERROR))
        span.end(at)

    @staticmethod
    def traceparent(span: Span) -> str:
        context = span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def close(self) -> None:
        """The SDK's own waits for up to 30 s where nobody answers."""
        closing = Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(SHUTDOWN)


def _context_of(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


class _Once(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        is_news = record.msg not in self._said
        self._said.add(record.msg)
        return is_news


class _Quiet(SpanExporter):
    """Says once that spans are lost, and once that they are not any more."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_losing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        is_lost = result is not SpanExportResult.SUCCESS
        if is_lost and not self._is_losing:
            log.warning("spans are lost: the OTLP endpoint does not take them")
        if self._is_losing and not is_lost:
            log.info("the OTLP endpoint takes spans again")
        self._is_losing = is_lost
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
