"""The map of the system is complete, and every handler's first lines agree with it."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from shared.events import Outcome, Removed, WorkRequested
from shared.streams import BY_NAME, EVENT_TYPES, PROJECTED, PROJECTOR, STREAM_OF, STREAMS, groups_of, streams_of

ROOT = Path(__file__).parents[3]
HANDLERS = [
    *sorted(ROOT.glob("services/*/src/*/on_*.py")),
    ROOT / "services/status-projector/src/status_projector/projection.py",
]
PARTS = ("Consumes", "Publishes", "Writes", "Fails")
EVERYTHING_PROJECTED = "every event of the projected streams"


def parts_of(handler: Path) -> dict[str, str]:
    """The docstring's `Name: text` lines, with their continuations."""
    docstring = ast.get_docstring(ast.parse(handler.read_text())) or ""
    found = re.findall(r"^([A-Z][a-z]+): (.+(?:\n[ \t]+.+)*)", docstring, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def events_in(text: str) -> set[str]:
    """Names of two words or more in one, which is how events are called."""
    return set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", text))


def service_of(handler: Path) -> str:
    return handler.relative_to(ROOT).parts[1]


def test_every_event_has_exactly_one_stream() -> None:
    assert Counter(event for stream in STREAMS for event in stream.events) == Counter(STREAM_OF.keys())
    assert {event.__name__: event for event in STREAM_OF} == EVENT_TYPES
    assert len(BY_NAME) == len(STREAMS)


def test_work_events_are_exactly_those_that_groups_settle() -> None:
    for stream in STREAMS:
        has_work = any(issubclass(event, WorkRequested) for event in stream.events)
        assert stream.causes_work == has_work == bool(stream.groups), stream.name
        assert not (stream.max_length and (stream.groups or stream.projected)), stream.name


def test_outcomes_and_submissions_are_projected() -> None:
    for event, stream in STREAM_OF.items():
        assert (stream in PROJECTED) == issubclass(event, Outcome | WorkRequested | Removed)


def test_handlers_are_found() -> None:
    assert {service_of(handler) for handler in HANDLERS} >= {"topic-worker", PROJECTOR}


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: handler.stem)
def test_a_handler_documents_what_it_consumes_publishes_writes_and_fails_with(handler: Path) -> None:
    assert tuple(parts_of(handler)) == PARTS


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: handler.stem)
def test_a_handler_consumes_events_of_a_stream_that_its_service_reads(handler: Path) -> None:
    consumes = parts_of(handler)["Consumes"]
    if service_of(handler) == PROJECTOR:
        assert EVERYTHING_PROJECTED in consumes or events_in(consumes)
    else:
        assert events_in(consumes)
    settled = [stream for group in groups_of(service_of(handler)) for stream in streams_of(group)]
    readable = settled if service_of(handler) != PROJECTOR else PROJECTED
    names = {event.__name__ for stream in readable for event in stream.events}
    assert events_in(consumes) <= names


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: handler.stem)
def test_a_handler_publishes_events(handler: Path) -> None:
    publishes = parts_of(handler)["Publishes"]
    assert events_in(publishes) <= EVENT_TYPES.keys()
    assert events_in(publishes) or publishes == "nothing" or "dead letters" in publishes


@pytest.mark.parametrize("service", ["topic-worker", "enricher"])
def test_every_work_event_has_one_handler(service: str) -> None:
    streams = [stream for group in groups_of(service) for stream in streams_of(group)]
    work = [e.__name__ for s in streams for e in s.events if issubclass(e, WorkRequested)]
    consumed = [e for h in HANDLERS if service_of(h) == service for e in events_in(parts_of(h)["Consumes"])]
    assert sorted(consumed) == sorted(work)


@pytest.mark.parametrize("handler", [h for h in HANDLERS if service_of(h) != PROJECTOR], ids=lambda h: h.stem)
def test_a_handler_of_submissions_is_named_after_its_event(handler: Path) -> None:
    (event,) = events_in(parts_of(handler)["Consumes"])
    assert handler.stem == "on" + re.sub(r"([A-Z])", r"_\1", event).lower()
