"""The calls that follow submissions and events."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any

from topicflow.client.api import ApiClient
from topicflow.client.events import Event, Kind, SubmissionState
from topicflow.client.following import event_stream
from topicflow.client.following.patience import Patience
from topicflow.client.following.states import Submitted
from topicflow.client.following.waiting import Waiting, WaitProgress
from topicflow.client.reading import read_each

PATIENCE = 60.0  # seconds that an API which does not answer is tolerated


class FollowCalls(ApiClient):
    async def as_they_end(
        self, submitted: Iterable[Submitted], *, patience: float = PATIENCE
    ) -> AsyncGenerator[SubmissionState, None]:
        """Each topic or article when it has ended: completed, failed or removed. All are of one kind."""
        async with aclosing(self.follow(submitted, patience=patience)) as progress:
            async for now in progress:
                for state in now.ended:
                    yield state

    async def follow(
        self, submitted: Iterable[Submitted], *, patience: float = PATIENCE
    ) -> AsyncGenerator[WaitProgress, None]:
        """What changes until all have ended: which ended, how many are open, all counts, whether the API answers."""
        async with aclosing(Waiting(self, submitted, patience).progress()) as progress:
            async for now in progress:
                yield now

    async def events(
        self,
        kinds: Sequence[Kind] = (),
        ids: Sequence[str] = (),
        *,
        last_event_id: str | None = None,
        patience: float = PATIENCE,
    ) -> AsyncGenerator[Event, None]:
        """What changes, as it changes, for ever: of these kinds and ids (100 at most), or of everything.

        Connects again by itself and goes on after the last event. Raises NoEventStream if the server, or a proxy before
        it, gives no stream, and Unreachable after `patience` seconds without an answer.
        """
        query: event_stream.Query = {"kind": list(kinds), "id": list(ids)}
        async with aclosing(event_stream.events(self, query, last_event_id=last_event_id, patience=patience)) as events:
            async for event in events:
                yield event

    async def _ends(self, submitted: Sequence[Submitted], patience: float) -> list[dict[str, Any]]:
        async with aclosing(self.follow(submitted, patience=patience)) as progress:
            async for _ in progress:
                pass
        rows = await read_each(self, [each.path for each in submitted], Patience(patience))
        return [row or each.model_dump() | {"status": "removed"} for each, row in zip(submitted, rows, strict=True)]
