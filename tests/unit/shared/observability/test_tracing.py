"""Trace context without recording: it is passed on unchanged, and nothing else is."""

import asyncio

import pytest
from factories import record, removed
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_trace_id

from shared.observability import tracing

THEIRS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def header() -> str | None:
    return record(removed()).headers.get("traceparent")


def test_the_traceparent_of_a_record_is_passed_on_while_it_is_handled_and_no_longer() -> None:
    with tracing.span("handling", SpanKind.CONSUMER, THEIRS):
        assert header() == THEIRS
        with tracing.span("calling", SpanKind.CLIENT):
            assert header() == THEIRS
        assert tracing.trace_id() == "0af7651916cd43dd8448eb211c80319c"
    assert header() is None
    assert tracing.trace_id() == ""


def test_another_delivery_does_not_inherit_the_traceparent() -> None:
    with tracing.span("handling", SpanKind.CONSUMER, THEIRS), tracing.span("another", SpanKind.CONSUMER, ""):
        assert header() is None


@pytest.mark.parametrize(
    "traceparent",
    ["", "x", THEIRS.upper(), THEIRS + "-00", "ff" + THEIRS[2:], THEIRS.replace("b7ad6b7169203331", "0" * 16)],
)
def test_an_invalid_traceparent_is_not_passed_on(traceparent: str) -> None:
    with tracing.span("handling", SpanKind.CONSUMER, traceparent):
        assert header() is None


async def test_concurrent_tasks_keep_their_own_traceparent() -> None:
    both_are_within = asyncio.Barrier(2)

    async def handle(traceparent: str) -> str | None:
        with tracing.span("handling", SpanKind.CONSUMER, traceparent):
            await both_are_within.wait()
            return header()

    other = THEIRS.replace("0af7", "ffff")
    assert tuple(await asyncio.gather(handle(THEIRS), handle(other))) == (THEIRS, other)


def test_a_traceparent_of_a_later_version_is_passed_on_in_version_00() -> None:
    with tracing.span("handling", SpanKind.CONSUMER, "01" + THEIRS[2:] + "-more"):
        assert header() == THEIRS


def test_only_a_valid_traceparent_records_a_finished_span(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    for traceparent in ("x01", THEIRS.upper(), THEIRS):
        tracing.record("project", traceparent, 1, 2, {})
    [span] = exporter.get_finished_spans()
    assert format_trace_id(span.context.trace_id) == "0af7651916cd43dd8448eb211c80319c"
    provider.shutdown()


def test_an_error_is_raised_as_it_was() -> None:
    with pytest.raises(ValueError, match="as it was"), tracing.span("failing", SpanKind.INTERNAL):
        raise ValueError("as it was")
    assert header() is None
    assert not tracing.is_recorded(THEIRS)
