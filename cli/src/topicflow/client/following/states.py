"""The states of submissions as they change: from the server's event stream, or by polling where there is none."""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from topicflow.client.api import ApiClient, answer_of
from topicflow.client.events import Counts, KindCounts, Resync, SubmissionState
from topicflow.client.following.event_stream import EventReader
from topicflow.client.following.patience import Patience
from topicflow.client.models import SubmittedArticle, SubmittedTopic
from topicflow.client.reading import model_of, read_each
from topicflow.errors import NoEventStream, ServiceUnavailable

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 1.0  # seconds between two rounds of polling, growing while nothing changes
Submitted = SubmittedTopic | SubmittedArticle


class StatesNow(NamedTuple):
    """What one look showed: `states` that may have changed; `counts` of the kind, None if unknown."""

    states: Sequence[SubmissionState]
    counts: KindCounts | None


class States:
    """Of submissions that were made before; they are of one kind. Once there is no event stream, it polls."""

    def __init__(self, api: ApiClient, submitted: Mapping[str, Submitted], patience: Patience) -> None:
        self._api = api
        self._submitted = submitted  # by id
        self._patience = patience
        self._submitted_by = time.monotonic()
        self._is_projected = False
        self.has_streams = True  # as far as is known
        self._polling = asyncio.Lock()  # one round at a time, however many ids are followed
        self._pause = SHORTEST_PAUSE
        self._polled_before: dict[str, SubmissionState] = {}

    async def of(self, ids: Collection[str]) -> AsyncGenerator[StatesNow, None]:
        """Looks at these ids, at most 100, until the connection ends. The caller takes out ids that have ended."""
        if any(self._submitted[key].attempt is None for key in ids):
            await self._until_projected()
        try:
            if self.has_streams:
                async with aclosing(self._streamed(ids)) as looks:
                    async for look in looks:
                        yield look
                return
        except NoEventStream:
            self.has_streams = False
        except ServiceUnavailable:
            pass  # it may have room for single requests
        async with aclosing(self._polled(ids)) as looks:
            async for look in looks:
                yield look

    async def _streamed(self, ids: Collection[str]) -> AsyncGenerator[StatesNow, None]:
        """Begins with the present states, so a lost connection misses nothing."""
        stream = EventReader(self._api, {"id": list(ids)}, self._patience.answered)
        async with aclosing(stream.connect()) as events:
            async for event in events:
                if isinstance(event, Resync):
                    await self._until_projected()
                    yield StatesNow(await self._read(ids), self._of_kind(event.counts))
                else:
                    yield StatesNow(event.submissions, self._of_kind(event.counts))

    async def _polled(self, ids: Collection[str]) -> AsyncGenerator[StatesNow, None]:
        while True:
            async with self._polling:
                await asyncio.sleep(self._pause)
                await self._check_projection()
                states = {state.id: state for state in await self._read(ids)} if self._is_projected else {}
                has_changed = any(self._polled_before.get(key) != state for key, state in states.items())
                self._pause = SHORTEST_PAUSE if has_changed else min(LONGEST_PAUSE, self._pause * 1.5)
                self._polled_before |= states
                now = StatesNow(list(states.values()), await self._counts())
            yield now

    async def _read(self, ids: Collection[str]) -> list[SubmissionState]:
        """Read only once they are projected: one that is not there then has been removed."""
        submitted = [self._submitted[key] for key in ids]
        answers = await read_each(self._api, [each.path for each in submitted])
        self._patience.answered()
        return [_state(each, answer) for each, answer in zip(submitted, answers, strict=True)]

    async def _until_projected(self) -> None:
        while not self._is_projected:
            await self._check_projection()
            await asyncio.sleep(SHORTEST_PAUSE)

    async def _check_projection(self) -> None:
        """Before, a read may show the end of an earlier attempt, or nothing at all."""
        if not self._is_projected:
            lag = answer_of(await self._api.get("/processing-status")).get("projection_lag_seconds")
            self._is_projected = lag is not None and lag < time.monotonic() - self._submitted_by
            self._patience.answered()

    @property
    def _are_topics(self) -> bool:
        return any(isinstance(each, SubmittedTopic) for each in self._submitted.values())

    def _of_kind(self, counts: Counts) -> KindCounts:
        return counts.topics if self._are_topics else counts.articles

    async def _counts(self) -> KindCounts | None:
        if not self._are_topics:
            return None
        status, worker = await asyncio.gather(self._api.get("/processing-status"), self._api.get("/worker-status"))
        live = len(answer_of(worker).get("workers") or ()) or int(answer_of(worker).get("worker_running") is True)
        return model_of(KindCounts, {**answer_of(status), "live_workers": live})


def _state(submitted: Submitted, answer: Mapping[str, Any] | None) -> SubmissionState:
    is_topic = isinstance(submitted, SubmittedTopic)
    removed = {"id": submitted.id, "status": "removed", "attempt": submitted.attempt or 0}
    row = removed if answer is None else answer
    name, at = row.get("title" if is_topic else "urn"), row.get("updated_at")
    return SubmissionState.model_validate({**row, "kind": "topic" if is_topic else "article", "name": name, "at": at})
