"""Decides which attempt of a submission may run: one at a time, and none that has ended or was removed."""

import asyncio
from collections import OrderedDict
from functools import partial

from shared.events import WorkRequested
from shared.worker.in_flight import InFlightDelivery

REMEMBERED_ENDS = 10_000


class AttemptGuard:
    """By submission: the attempt in flight in this worker, and the highest one that ended or was removed."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[int, InFlightDelivery]] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()

    async def admit(self, delivery: InFlightDelivery, event: WorkRequested) -> bool:
        """False if this attempt has ended or is in flight. Lower ones are over; if one runs, this one waits for it.

        Raises Superseded.
        """
        if event.attempt > 1:
            self.end(event.id, event.attempt - 1)
        while event.attempt > self._ended.get(event.id, 0):
            attempt, other = self._running.get(event.id, (0, None))
            if other is None or other.task is None:
                self._running[event.id] = event.attempt, delivery
                return True
            if attempt >= event.attempt:
                return False
            other.supersede()
            await delivery.wait(partial(asyncio.wait, [other.task]))
        return False

    def remove(self, submission: str, attempt: int) -> None:
        """Ends this attempt and all lower ones."""
        self.end(submission, attempt)
        running_attempt, running = self._running.get(submission, (0, None))
        if running and running_attempt <= attempt:
            running.supersede()

    def end(self, submission: str, attempt: int) -> None:
        self._ended[submission] = max(attempt, self._ended.pop(submission, 0))
        if len(self._ended) > REMEMBERED_ENDS:
            self._ended.popitem(last=False)

    def leave(self, delivery: InFlightDelivery, submission: str) -> None:
        """No longer in flight here, whether the attempt has ended or not."""
        if self._running.get(submission, (0, None))[1] is delivery:
            del self._running[submission]
