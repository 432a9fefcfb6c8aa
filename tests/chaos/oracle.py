"""The end that a topic must have, from what the streams say: a few lines of their own, not the product's.

The rule, from docs/events.md: a submission's state (attempt, rank) only grows. Reads the raw entries. What a stream
holds twice under one id was said once; of the ways in which racing requests spell a title, the first in order is shown.
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
class Said:
    """One event. `place`: when the broker stored it, comparable between streams."""

    place: Place
    event: str
    event_id: str
    data: dict[str, Any]

    @property
    def attempt(self) -> int:
        return int(self.data["attempt"])


@dataclass(frozen=True, slots=True)
class End:
    attempt: int = 0
    status: str = ""
    title: str | None = None
    run: str | None = None
    error: str | None = None
    content: dict[str, Any] | None = None


async def said_of(stack: Stack, ids: Iterable[str]) -> dict[str, list[Said]]:
    """All that was ever said of each, in the order of the streams."""
    told: dict[str, dict[str, Said]] = {id_: {} for id_ in ids}
    for stream in STREAMS:
        async for entry in entries(stack, stream):
            data = json.loads(entry.data)
            if data["id"] in told:
                name, event_id = entry.headers["ce_type"].split(".")[1], entry.headers["ce_id"]
                said = told[data["id"]].setdefault(event_id, Said(entry.place, name, event_id, data))
                said.data["title"] = _first(said.data.get("title"), data.get("title"))
    return {id_: sorted(said.values(), key=lambda one: one.place) for id_, said in told.items()}


def _first(*titles: str | None) -> str | None:
    return min((title for title in titles if title is not None), default=None)


def end_of(told: Sequence[Said]) -> End:
    """Of events that nobody doubled."""
    state, end, title = (0, -1), End(), None
    contents: dict[int, dict[str, Any]] = {}
    for said in told:
        rank, status = RANKS[said.event]
        if said.attempt > state[0]:
            title = None
        if (said.attempt, rank) > state or (said.attempt, rank) == state == (said.attempt, 1):
            state = said.attempt, rank
            error = said.data["error"]["message"] if status == "failed" else None
            end = End(said.attempt, status, run=said.data.get("run"), error=error)
        if said.attempt == state[0]:
            title = None if end.status == "removed" else _first(title, said.data.get("title"))
        if said.event == "SubmissionCompleted":
            contents.setdefault(said.attempt, said.data["content"])
    removed = max((said.attempt for said in told if said.event == "TopicRemoved"), default=0)
    kept = max((attempt for attempt in contents if attempt > removed), default=None)
    return replace(end, title=title, content=contents[kept] if kept else None)


def place_of(told: Sequence[Said], event: str, attempt: int) -> Place | None:
    """Where it was said first."""
    return next((said.place for said in told if (said.event, said.attempt) == (event, attempt)), None)
