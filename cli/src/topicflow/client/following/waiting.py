"""Waits until all submitted topics or articles have ended, with few connections, however many they are."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from math import ceil

from topicflow.client.api import ApiClient
from topicflow.client.events import KindCounts, SubmissionState
from topicflow.client.following.event_stream import MAX_IDS, RETRY
from topicflow.client.following.patience import Patience
from topicflow.client.following.states import States, StatesNow, Submitted
from topicflow.client.models import ENDS
from topicflow.errors import TooManyRequests, Unreachable

MAX_FOLLOWED_AT_ONCE = 8  # hundreds
ROTATE_AFTER = 30.0  # seconds
LONGEST_PAUSE = 2.0  # seconds between two attempts to reach an API that does not answer


@dataclass(frozen=True, slots=True)
class WaitProgress:
    """`ended`: since the progress before; `counts`: of all topics or articles, None while unknown."""

    ended: tuple[SubmissionState, ...]
    open_count: int
    counts: KindCounts | None = None
    is_answered: bool = True


class Waiting:
    """Follows hundreds of submissions, a few hundred at a time.

    While others wait for their turn, a hundred makes room when half of it has ended, after 30 s, or when it was polled:
    its open ones go to the end of the queue. So stuck ones never hide the others.
    """

    def __init__(self, api: ApiClient, submitted: Iterable[Submitted], patience: float) -> None:
        """`patience`: seconds that an API which does not answer is tolerated."""
        self._open = {each.id: each for each in submitted}
        self._turns = deque(self._open)
        self._patience = Patience(patience, LONGEST_PAUSE)
        self._states = States(api, dict(self._open), self._patience)
        self._news = asyncio.Event()
        self._ended: list[SubmissionState] = []  # not reported yet
        self._counts: KindCounts | None = None
        self._is_answered = True
        self._error: Exception | None = None

    async def progress(self) -> AsyncGenerator[WaitProgress, None]:
        """Whenever something changed, until all have ended. Raises Unreachable when patience is over."""
        count = min(MAX_FOLLOWED_AT_ONCE, ceil(len(self._open) / MAX_IDS))
        followers = [asyncio.create_task(self._follow()) for _ in range(count)]
        try:
            while self._open:
                await self._news.wait()
                self._news.clear()
                if self._error:
                    raise self._error
                yield self._progress()
            if not followers:
                yield self._progress()
        finally:
            for follower in followers:
                follower.cancel()
            await asyncio.gather(*followers, return_exceptions=True)

    def _progress(self) -> WaitProgress:
        ended, self._ended = tuple(self._ended), []
        return WaitProgress(ended, len(self._open), self._counts, self._is_answered)

    async def _follow(self) -> None:
        try:
            while self._turns:
                followed = {self._turns.popleft(): None for _ in range(min(MAX_IDS, len(self._turns)))}
                with suppress(TimeoutError):
                    async with asyncio.timeout(ROTATE_AFTER if self._turns and self._states.has_streams else None):
                        await self._follow_hundred(followed)
                self._turns.extend(followed)
        except Exception as error:
            self._error = error
            self._news.set()

    async def _follow_hundred(self, followed: dict[str, None]) -> None:
        """Takes out of `followed` what has ended."""
        count = len(followed)
        while True:
            pause = RETRY
            try:
                async with aclosing(self._states.of(followed)) as looks:
                    async for look in looks:
                        self._take(look, followed)
                        makes_room = len(followed) <= count / 2 or not self._states.has_streams
                        if not followed or (self._turns and makes_room):
                            return
            except Unreachable as error:
                pause = self._patience.pause_after(error, shortest=0.1)
                self._is_answered = isinstance(error, TooManyRequests)
                self._news.set()
            await asyncio.sleep(pause)

    def _take(self, look: StatesNow, followed: dict[str, None]) -> None:
        for state in look.states:
            if state.id in followed and self._has_ended(state):
                del followed[state.id], self._open[state.id]
                self._ended.append(state)
        self._counts, self._is_answered = look.counts or self._counts, True
        self._news.set()

    def _has_ended(self, state: SubmissionState) -> bool:
        """An earlier attempt's end is none of the one that was submitted."""
        return state.status in ENDS and state.attempt >= (self._open[state.id].attempt or 0)
