"""What a worker has in flight and remembers of what ended, so that no submission runs twice beside itself."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from shared.events import Submitted
from shared.transport.base import Delivery

REMEMBERED_ENDS = 10_000


@dataclass(slots=True, eq=False)
class Work:
    """A delivery in flight. `waits`: it costs nothing right now and may be put away."""

    delivery: Delivery
    event: Submitted | None = None
    task: asyncio.Task[None] | None = None
    waits: bool = False
    displaced: bool = False
    settled: bool = False
    held_until: float = 0.0  # monotonic

    def displace(self) -> None:
        """End it unrun, if its call is not on the way."""
        if self.waits and self.task and not self.displaced:
            self.displaced = True
            self.task.cancel()


class Attempts:
    """By submission: the attempt that is in flight here, and the highest that ended or was removed."""

    def __init__(self) -> None:
        self._running: dict[str, Work] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()

    async def may_run(self, work: Work, event: Submitted) -> bool:
        """False if this attempt has ended or is in flight; a lower one is displaced, or waited for if it runs."""
        while True:
            other = self._running.get(event.id)
            if event.attempt <= self._ended.get(event.id, 0):
                return False
            if other is None or other.event is None or other.task is None:
                work.event = event
                self._running[event.id] = work
                return True
            if other.event.attempt >= event.attempt:
                return False
            other.displace()
            await asyncio.wait([other.task])

    def remove(self, submission: str, attempt: int) -> None:
        """Close this attempt and all lower ones."""
        self.end(submission, attempt)
        running = self._running.get(submission)
        if running and running.event and running.event.attempt <= attempt:
            running.displace()

    def end(self, submission: str, attempt: int) -> None:
        self._ended[submission] = max(attempt, self._ended.pop(submission, 0))
        if len(self._ended) > REMEMBERED_ENDS:
            self._ended.popitem(last=False)

    def forget_running(self, work: Work) -> None:
        if work.event and self._running.get(work.event.id) is work:
            del self._running[work.event.id]
