"""Follows the submitted topics until each has ended, whoever else submits meanwhile. Asks little of the API."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from topicflow.api_client import ApiClient, answer_of
from topicflow.errors import NotFound, Unreachable
from topicflow.progress import Progress
from topicflow.system_state import SystemState, read_state

LOOKS_APART = 0.5  # seconds
ONE_BY_ONE = 20  # topics looked at by id at a time
PAGE = 100
ENDS = ("completed", "failed")


class Follower:
    """The counts say how many ended, the newest of them are read in pages, and a few are looked up by id in turn.

    Pages alone would miss what ended out of order; ids alone would ask once for each topic and look.
    """

    def __init__(self, api: ApiClient, topics: Sequence[dict[str, Any]]) -> None:
        self._api = api
        self.states: dict[str, dict[str, Any]] = {topic["id"]: topic for topic in topics}
        self._attempts = {topic["id"]: topic.get("attempt") or 0 for topic in topics}
        self._open = deque(self.states)
        self._seen: set[str] = set()
        self._started = time.monotonic()
        self._counted: dict[str, int] = {}
        self._at_first = 0

    async def looks(self, patience: float) -> AsyncGenerator[Progress, None]:
        """One Progress for each look, the last one is over. Raises Unreachable after `patience` seconds of silence."""
        heard = time.monotonic()
        waiting = None
        while True:
            try:
                waiting = await self._look()
                heard = time.monotonic()
            except Unreachable:
                waiting = "the API does not answer"
                if time.monotonic() - heard > patience:
                    raise
            progress = self._progress(waiting)
            yield progress
            if progress.is_over:
                return
            await asyncio.sleep(LOOKS_APART)

    @property
    def failures(self) -> list[dict[str, Any]]:
        return [state for state in self.states.values() if state.get("status") == "failed"]

    async def _look(self) -> str | None:
        state = await read_state(self._api)
        first = not self._counted
        for status in ENDS:
            await self._read_newest(status, state)
        await self._read_some_by_id()
        if first:
            self._at_first = len(self.states) - len(self._open)
            self._started = time.monotonic()
        return state.waiting

    async def _read_newest(self, status: str, state: SystemState) -> None:
        """As many as have ended since the last look."""
        count = state.count(status)
        fresh = min(count - self._counted.get(status, 0), len(self.states))
        cursor: str | None = None
        while fresh > 0 and len(self._open) > ONE_BY_ONE:
            answer = answer_of(
                await self._api.get(
                    "/topics", status=status, sort_by="updated_at", sort_order="desc", limit=PAGE, cursor=cursor
                )
            )
            for topic in answer["topics"]:
                self._note(topic)
            fresh -= PAGE
            cursor = answer.get("next_cursor")
            self._open = deque(key for key in self._open if not self._has_ended(key))
            if cursor is None:
                break
        self._counted[status] = count

    async def _read_some_by_id(self) -> None:
        """The next few in turn, and more while most of them turn out to have ended."""
        while self._open:
            some = [self._open.popleft() for _ in range(min(ONE_BY_ONE, len(self._open)))]
            try:
                await asyncio.gather(*map(self._read, some))
            finally:
                still_open = [key for key in some if not self._has_ended(key)]
                self._open.extend(still_open)
            if len(still_open) > len(some) / 2:
                return

    async def _read(self, key: str) -> None:
        try:
            self._note(answer_of(await self._api.get(f"/topics/{key}")))
        except NotFound:  # not projected yet, or removed by somebody
            if key in self._seen:
                self.states[key] = {**self.states[key], "status": "removed"}

    def _note(self, topic: dict[str, Any]) -> None:
        key = topic["id"]
        if key in self.states and (topic.get("attempt") or 0) >= self._attempts[key]:
            self._seen.add(key)
            self.states[key] = topic

    def _has_ended(self, key: str) -> bool:
        status = self.states[key].get("status")
        return status == "removed" or (key in self._seen and status in ENDS)

    def _progress(self, waiting: str | None) -> Progress:
        statuses = [state.get("status") for key, state in self.states.items() if self._has_ended(key)]
        return Progress(
            total=len(self.states),
            completed=statuses.count("completed"),
            failed=statuses.count("failed"),
            removed=statuses.count("removed"),
            finished_here=len(statuses) - self._at_first,
            seconds=time.monotonic() - self._started,
            waiting=None if len(statuses) == len(self.states) else waiting,
        )
