"""What a worker has in flight and remembers of what ended, so that no submission runs twice beside itself."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from shared.errors import InvalidEvent
from shared.events import CausesWork, Event
from shared.messaging.broker import Delivery
from shared.messaging.cloudevents import decode

REMEMBERED_ENDS = 10_000
End = Literal["completed", "failed", "dead_lettered", "requeued", "taken_over", "nothing_to_do"]


@dataclass(slots=True, eq=False)
class Work:
    """A delivery in flight. `waits`: it costs nothing right now and may be put away; `error`: (code, message)."""

    delivery: Delivery
    event: Event | None = None  # None: unreadable
    problem: str = ""
    task: asyncio.Task[None] | None = None
    waits: bool = False
    displaced: bool = False
    settled: bool = False
    end: End = "nothing_to_do"
    error: tuple[str, str] | None = None

    @property
    def deaths(self) -> int:
        """Of workers while they handled it, its copies at the tail included."""
        requeued = self.event.requeued if isinstance(self.event, CausesWork) else None
        return self.delivery.starts + (requeued.starts if requeued else 0)

    def displace(self) -> None:
        """End it unrun as soon as it waits; a call that is on its way is paid for and may end."""
        self.displaced = True
        if self.waits and self.task:
            self.task.cancel()


def read(delivery: Delivery) -> Work:
    """Raises NewerVersion."""
    try:
        return Work(delivery, decode(delivery.record).event)
    except InvalidEvent as error:
        return Work(delivery, problem=str(error))


class Attempts:
    """By submission: the attempt that is in flight here, and the highest that ended or was removed."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[int, Work]] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()

    async def may_run(self, work: Work, event: CausesWork) -> bool:
        """False if this attempt has ended or is in flight; a lower one is displaced, or waited for while it runs."""
        while event.attempt > self._ended.get(event.id, 0):
            attempt, other = self._running.get(event.id, (0, None))
            if other is None or other.task is None:
                self._running[event.id] = event.attempt, work
                return True
            if attempt >= event.attempt:
                return False
            other.displace()
            await asyncio.wait([other.task])
        return False

    def remove(self, submission: str, attempt: int) -> None:
        """Close this attempt and all lower ones."""
        self.end(submission, attempt)
        running_attempt, running = self._running.get(submission, (0, None))
        if running and running_attempt <= attempt:
            running.displace()

    def end(self, submission: str, attempt: int) -> None:
        self._ended[submission] = max(attempt, self._ended.pop(submission, 0))
        if len(self._ended) > REMEMBERED_ENDS:
            self._ended.popitem(last=False)

    def leave(self, work: Work, event: CausesWork) -> None:
        """Not in flight here any more; whether it ended is another question."""
        if self._running.get(event.id, (0, None))[1] is work:
            del self._running[event.id]
