"""Sends spans over OTLP/HTTP, with the SDK of OpenTelemetry, which reads its standard variables (OTEL_…) itself.

A collector that does not answer costs one warning and nothing else.
"""

import logging
from collections.abc import Sequence
from threading import Thread

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from shared import __version__

log = structlog.get_logger()
SHUTDOWN_SECONDS = 3.0


def provider_of(service: str, instance: str) -> TracerProvider:
    attributes = {"service.name": service, "service.version": __version__, "service.instance.id": instance}
    resource = Resource.create(attributes).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_QuietExporter(OTLPSpanExporter())))
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)  # it logs each retry
    logging.getLogger("opentelemetry.sdk._shared_internal").addFilter(_Once())  # it logs a full queue every 20 s
    return provider


def shut_down(provider: TracerProvider) -> None:
    """The SDK's own shutdown waits for up to 30 s for a collector that does not answer."""
    closing = Thread(target=provider.shutdown, daemon=True)
    closing.start()
    closing.join(SHUTDOWN_SECONDS)


class _Once(logging.Filter):
    """Drops repeated messages."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        is_new = record.msg not in self._logged
        self._logged.add(record.msg)
        return is_new


class _QuietExporter(SpanExporter):
    """Logs when it begins to lose spans and when it no longer does."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_losing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        is_lost = result is not SpanExportResult.SUCCESS
        if is_lost and not self._is_losing:
            log.warning("spans_lost", error="the OTLP endpoint does not accept them")
        if self._is_losing and not is_lost:
            log.info("spans_accepted_again")
        self._is_losing = is_lost
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
