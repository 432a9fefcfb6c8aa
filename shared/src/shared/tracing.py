"""One trace from POST to projection: what is done now belongs to a span, and `traceparent` carries that in records.

Off unless an OTLP endpoint is set: OpenTelemetry (`otlp.py`) is not imported then, and what others began is passed on.
Whoever begins a trace decides whether it is recorded; everybody after follows (W3C Trace Context).
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from shared.otlp import Recorder

Attributes = dict[str, str | int | float]
Kind = Literal["server", "consumer", "client", "internal"]
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_VALID = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAMPLED = frozenset("13579bdf")  # the last bit of the flags
_current: ContextVar[str] = ContextVar("traceparent", default="")
_recorder: "Recorder | None" = None


@dataclass(slots=True)
class Span:
    """What is told of it when it ends; with an `error.type` it ended badly."""

    name: str
    attributes: Attributes = field(default_factory=dict)


def set_up(service: str, instance: str) -> None:
    """The process's spans are recorded from now on, if the environment says where to."""
    global _recorder
    is_disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_disabled or os.environ.get("OTEL_TRACES_EXPORTER") == "none" or not any(map(os.environ.get, ENDPOINTS)):
        return
    from shared.otlp import Recorder

    _recorder = Recorder(service, instance)


def shut_down() -> None:
    """What is recorded is sent, but not waited for long."""
    global _recorder
    if _recorder:
        _recorder.close()
    _recorder = None


def current() -> str:
    """The traceparent of what is being done, "" if it belongs to no trace."""
    return _current.get()


def trace_id() -> str:
    return _current.get()[3:35]


def is_recorded(traceparent: str) -> bool:
    return _recorder is not None and traceparent[-1:] in _SAMPLED


@contextmanager
def span(name: str, kind: Kind, parent: str | None = None, links: Sequence[str] = ()) -> Iterator[Span]:
    """`parent`: the traceparent that came from outside, "" if none did; without it, what is being done now."""
    about = Span(name)
    before = _current.get() if parent is None else parent
    before = before if _VALID.fullmatch(before) else ""
    recorder = _recorder if not before or is_recorded(before) else None
    recorded = recorder.begin(name, kind, before, links) if recorder else None
    token = _current.set(recorder.traceparent(recorded) if recorder and recorded else before)
    try:
        yield about
    except BaseException as error:
        about.attributes.setdefault("error.type", type(error).__name__)
        raise
    finally:
        _current.reset(token)
        if recorder and recorded:
            recorder.end(recorded, about)


def record(name: str, parent: str, began: int, ended: int, attributes: Attributes) -> None:
    """A span of what is over, between two times in nanoseconds; ask `is_recorded` before."""
    if _recorder and _VALID.fullmatch(parent):
        recorded = _recorder.begin(name, "internal", parent, (), began)
        _recorder.end(recorded, Span(name, attributes), ended)
