"""One trace from POST to projection: what is done now belongs to a span, and `traceparent` carries that in records.

Off unless an OTLP endpoint is set: OpenTelemetry (`otlp.py`) is not imported then, and what others began is passed on.
Whoever begins a trace decides whether it is recorded; everybody after follows (W3C Trace Context).
"""

import os
import re
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from shared.observability.otlp import Recorder

Attributes = dict[str, str | int | float]
Kind = Literal["server", "consumer", "client", "internal"]
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_VALID = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAMPLED = frozenset("13579bdf")  # the last bit of the flags
_current: ContextVar[str] = ContextVar("traceparent", default="")
_recorder: "Recorder | None" = None


def set_up(service: str, instance: str) -> None:
    """The process's spans are recorded from now on, if the environment says where to."""
    global _recorder
    is_disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_disabled or os.environ.get("OTEL_TRACES_EXPORTER") == "none" or not any(map(os.environ.get, ENDPOINTS)):
        return
    from shared.observability.otlp import Recorder

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


class Span:
    """A context manager. `parent`: the traceparent that came from outside, "" if none did; without it, what is being
    done now. `name` and `attributes` are told when it ends; with an `error.type` it ended badly.
    """

    __slots__ = ("_kind", "_links", "_parent", "_recorded", "_recorder", "_token", "attributes", "name")

    def __init__(self, name: str, kind: Kind, parent: str | None = None, links: Sequence[str] = ()) -> None:
        self.name, self.attributes = name, Attributes()
        self._kind, self._parent, self._links = kind, parent, links

    @property
    def is_recorded(self) -> bool:
        """Else nobody reads its attributes."""
        return self._recorder is not None

    def __enter__(self) -> "Span":
        before = _current.get() if self._parent is None else self._parent
        if before and not _VALID.fullmatch(before):
            before = ""
        self._recorder = _recorder if not before or is_recorded(before) else None
        if self._recorder:
            self._recorded = self._recorder.begin(self.name, self._kind, before, self._links)
            before = self._recorder.traceparent(self._recorded)
        self._token = _current.set(before)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _current.reset(self._token)
        if kind and issubclass(kind, Exception):  # being cancelled is none
            self.attributes.setdefault("error.type", kind.__name__)
        if self._recorder:
            self._recorder.end(self._recorded, self.name, self.attributes)


def record(name: str, parent: str, began: int, ended: int, attributes: Attributes) -> None:
    """A span of what is over, between two times in nanoseconds; ask `is_recorded` before."""
    if _recorder and _VALID.fullmatch(parent):
        _recorder.end(_recorder.begin(name, "internal", parent, at=began), name, attributes, ended)
