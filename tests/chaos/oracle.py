"""The expected final state of a topic, derived from the streams by code that is independent of the product.

The rule, from docs/events.md: a submission's state (attempt, rank) only grows. Reads the raw entries. Entries with
the same event id are one event; of the spellings of a title in racing requests, the first in order is shown.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from servers import Stack
from servers.raw_streams import Place, entries

RANKS = {
    "TopicSubmitted": (0, "pending"),
    "SubmissionStarted": (1, "processing"),
    "SubmissionParked": (1, "pending"),
    "SubmissionFailed": (2, "failed"),
    "SubmissionCompleted": (3, "completed"),
    "TopicRemoved": (4, "removed"),
}
STREAMS = ("topic-submissions", "submission-outcomes")


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event. `place`: when the broker stored it, comparable between streams."""

    place: Place
    name: str
    event_id: str
    data: dict[str, Any]

    @property
    def attempt(self) -> int:
        return int(self.data["attempt"])


@dataclass(frozen=True, slots=True)
class FinalState:
    attempt: int = 0
    status: str = ""
    title: str | None = None
    run: str | None = None
    error: str | None = None
    content: dict[str, Any] | None = None


async def events_of(stack: Stack, ids: Iterable[str]) -> dict[str, list[StreamEvent]]:
    """All events of each submission, in the order of the streams."""
    found: dict[str, dict[str, StreamEvent]] = {id_: {} for id_ in ids}
    for stream in STREAMS:
        async for entry in entries(stack, stream):
            data = json.loads(entry.data)
            if data["id"] in found:
                name, event_id = entry.headers["ce_type"].split(".")[1], entry.headers["ce_id"]
                event = found[data["id"]].setdefault(event_id, StreamEvent(entry.place, name, event_id, data))
                event.data["title"] = _first(event.data.get("title"), data.get("title"))
    return {id_: sorted(events.values(), key=lambda event: event.place) for id_, events in found.items()}


def _first(*titles: str | None) -> str | None:
    return min((title for title in titles if title is not None), default=None)


def final_state_of(events: Sequence[StreamEvent]) -> FinalState:
    """Of events without duplicates."""
    state, final, title = (0, -1), FinalState(), None
    contents: dict[int, dict[str, Any]] = {}
    for event in events:
        rank, status = RANKS[event.name]
        if event.attempt > state[0]:
            title = None
        if (event.attempt, rank) > state or (event.attempt, rank) == state == (event.attempt, 1):
            state = event.attempt, rank
            error = event.data["error"]["message"] if status == "failed" else None
            final = FinalState(event.attempt, status, run=event.data.get("run"), error=error)
        if event.attempt == state[0]:
            title = None if final.status == "removed" else _first(title, event.data.get("title"))
        if event.name == "SubmissionCompleted":
            contents.setdefault(event.attempt, event.data["content"])
    removed = max((event.attempt for event in events if event.name == "TopicRemoved"), default=0)
    kept = max((attempt for attempt in contents if attempt > removed), default=None)
    return replace(final, title=title, content=contents[kept] if kept else None)


def place_of(events: Sequence[StreamEvent], name: str, attempt: int) -> Place | None:
    """The place of its first occurrence."""
    return next((event.place for event in events if (event.name, event.attempt) == (name, attempt)), None)
