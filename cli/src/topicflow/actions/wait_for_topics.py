"""Follows the submitted topics until each has ended, whoever else submits meanwhile. Asks little of the API."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from itertools import islice
from typing import Any

from topicflow.actions.system_state import SystemState, read_state
from topicflow.client.api import ApiClient, answer_of
from topicflow.errors import NotFound, Unreachable
from topicflow.views.progress import ProgressLine

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 0.5  # seconds between looks; short at first
TOGETHER = 20  # topics read at the same time
MOST_IN_TURN = 60  # topics out of order that one look reads
ENDS = ("completed", "failed")


class Follower:
    """Topics end about in the order they came: a look reads the first open ones, on while most of them have ended.

    A few of the others are read in turn, more of them while the counts say that more have ended than were found.
    """

    def __init__(self, api: ApiClient, topics: Sequence[dict[str, Any]]) -> None:
        self._api = api
        self.states: dict[str, dict[str, Any]] = {topic["id"]: topic for topic in topics}
        self._open = dict.fromkeys(self.states)  # in the order they came
        self._ended: dict[str, str] = {}  # status by id
        self._turn = 0
        self._submitted = self._began = time.monotonic()
        self._counted_at_first: int | None = None
        self._ended_at_first = 0

    async def looks(self, patience: float) -> AsyncGenerator[ProgressLine, None]:
        """One Progress for each look, the last one is over. Raises Unreachable after `patience` seconds of silence."""
        heard = time.monotonic()
        while True:
            try:
                waiting = await self._look()
                heard = time.monotonic()
            except Unreachable:
                if time.monotonic() - heard > patience:
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

    async def _look(self) -> str | None:
        since_submitted = time.monotonic() - self._submitted
        state = await read_state(self._api)
        lag = state.lag_seconds
        if lag is None or lag >= since_submitted:
            return state.waiting  # what is shown may be the end of an earlier attempt
        await self._read_first_ones()
        if self._counted_at_first is None:
            self._counted_at_first = _ended_count(state)
            self._began, self._ended_at_first = time.monotonic(), len(self._ended)
        not_found = _ended_count(state) - self._counted_at_first - (len(self._ended) - self._ended_at_first)
        await self._read_in_turn(min(MOST_IN_TURN, max(TOGETHER, 2 * not_found)))
        return state.waiting

    async def _read_first_ones(self) -> None:
        while some := list(islice(self._open, TOGETHER)):
            await self._read(some)
            if sum(key in self._open for key in some) > len(some) / 2:
                return

    async def _read_in_turn(self, count: int) -> None:
        others = list(self._open)[TOGETHER:]
        if others:
            self._turn %= len(others)
            some = (others + others)[self._turn : self._turn + min(count, len(others))]
            self._turn += len(some)
            for start in range(0, len(some), TOGETHER):
                await self._read(some[start : start + TOGETHER])

    async def _read(self, keys: Sequence[str]) -> None:
        await asyncio.gather(*map(self._read_one, keys))

    async def _read_one(self, key: str) -> None:
        try:
            self.states[key] = answer_of(await self._api.get(f"/topics/{key}"))
        except NotFound:  # it is projected, so somebody removed it
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
            seconds=time.monotonic() - self._began,
            waiting=waiting if self._open else None,
        )


def _ended_count(state: SystemState) -> int:
    return sum(state.count(status) for status in ENDS)
