"""Waits until all submitted topics have ended, with few requests, even if others submit at the same time."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from itertools import islice
from typing import Any

from topicflow.actions.system_state import SystemState, read_state
from topicflow.client.api import ApiClient, answer_of
from topicflow.errors import NotFound, Unreachable
from topicflow.views.progress import ProgressLine

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 0.5  # seconds between polls; short at first
READ_AT_ONCE = 20  # topics
MAX_IN_ROTATION = 60  # topics that one poll reads out of order
ENDS = ("completed", "failed")


class Follower:
    """Topics end roughly in the order they were submitted: each poll reads the first open ones, and goes on as long as
    most of them have ended.

    A few of the others are read in rotation, more if the counts say that more have ended than were found.
    """

    def __init__(self, api: ApiClient, topics: Sequence[dict[str, Any]]) -> None:
        self._api = api
        self.states: dict[str, dict[str, Any]] = {topic["id"]: topic for topic in topics}
        self._open = dict.fromkeys(self.states)  # in the order of submission
        self._ended: dict[str, str] = {}  # status by id
        self._rotation = 0
        self._submitted = self._counted_at = time.monotonic()
        self._ended_count_at_first: int | None = None
        self._ended_at_first = 0

    async def polls(self, patience: float) -> AsyncGenerator[ProgressLine, None]:
        """Yields progress after each poll until all have ended. Raises Unreachable after `patience` seconds without a
        response."""
        answered_at = time.monotonic()
        while True:
            try:
                waiting = await self._poll()
                answered_at = time.monotonic()
            except Unreachable:
                if time.monotonic() - answered_at > patience:
                    raise
                waiting = "the API does not answer"
            progress = self._progress(waiting)
            yield progress
            if progress.is_over:
                return
            await asyncio.sleep(min(LONGEST_PAUSE, max(SHORTEST_PAUSE, (time.monotonic() - self._submitted) / 4)))

    @property
    def failures(self) -> list[dict[str, Any]]:
        return [self.states[key] for key, status in self._ended.items() if status == "failed"]

    async def _poll(self) -> str | None:
        since_submitted = time.monotonic() - self._submitted
        state = await read_state(self._api)
        lag = state.lag_seconds
        if lag is None or lag >= since_submitted:
            return state.waiting  # the projection may still show the end of an earlier attempt
        await self._read_first_open()
        if self._ended_count_at_first is None:
            self._ended_count_at_first = _ended_count(state)
            self._counted_at, self._ended_at_first = time.monotonic(), len(self._ended)
        not_found = _ended_count(state) - self._ended_count_at_first - (len(self._ended) - self._ended_at_first)
        await self._read_in_rotation(min(MAX_IN_ROTATION, max(READ_AT_ONCE, 2 * not_found)))
        return state.waiting

    async def _read_first_open(self) -> None:
        while batch := list(islice(self._open, READ_AT_ONCE)):
            await self._read(batch)
            if sum(key in self._open for key in batch) > len(batch) / 2:
                return

    async def _read_in_rotation(self, count: int) -> None:
        others = list(self._open)[READ_AT_ONCE:]
        if others:
            self._rotation %= len(others)
            batch = (others + others)[self._rotation : self._rotation + min(count, len(others))]
            self._rotation += len(batch)
            for start in range(0, len(batch), READ_AT_ONCE):
                await self._read(batch[start : start + READ_AT_ONCE])

    async def _read(self, keys: Sequence[str]) -> None:
        await asyncio.gather(*map(self._read_one, keys))

    async def _read_one(self, key: str) -> None:
        try:
            self.states[key] = answer_of(await self._api.get(f"/topics/{key}"))
        except NotFound:  # it was projected before, so it has been deleted
            self.states[key] |= {"status": "removed"}
        status = str(self.states[key].get("status"))
        if status in {*ENDS, "removed"}:
            self._ended[key] = status
            self._open.pop(key, None)

    def _progress(self, waiting: str | None) -> ProgressLine:
        ended = list(self._ended.values())
        return ProgressLine(
            total=len(self.states),
            completed=ended.count("completed"),
            failed=ended.count("failed"),
            removed=ended.count("removed"),
            finished_here=len(ended) - self._ended_at_first,
            seconds=time.monotonic() - self._counted_at,
            waiting=waiting if self._open else None,
        )


def _ended_count(state: SystemState) -> int:
    return sum(state.count(status) for status in ENDS)
