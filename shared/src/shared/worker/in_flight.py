"""A delivery in flight: its event, its progress, waits that a newer attempt can interrupt, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal, TypeVar

from shared.errors import InvalidEvent
from shared.events import Event, WorkRequested
from shared.messaging.broker import Delivery
from shared.messaging.cloudevents import Record, decode

T = TypeVar("T")
Disposition = Literal["completed", "failed", "dead_lettered", "requeued", "taken_over", "nothing_to_do"]


@dataclass(frozen=True, slots=True)
class Ack:
    """How a delivery ends. `records` are stored with it; `error`: code and message."""

    disposition: Disposition
    records: Sequence[Record] = ()
    error: tuple[str, str] | None = None
    ends_attempt: bool = False


NOTHING_TO_DO = Ack("nothing_to_do")
SUPERSEDED = Ack("nothing_to_do", ends_attempt=True)
TAKEN_OVER = Ack("taken_over")


class Superseded(Exception):
    """A newer attempt or a removal arrived while the delivery waited."""


class Progress(Enum):
    """QUEUED: no task yet. RUNNING: a call, or storing something. WAITING: costs nothing now, so it can be superseded
    or handed back at once. SETTLED: its end is stored, or it is another member's."""

    QUEUED = auto()
    RUNNING = auto()
    WAITING = auto()
    SETTLED = auto()


@dataclass(slots=True, eq=False)
class InFlightDelivery:
    received: Delivery
    event: Event | None = None  # None: unreadable
    problem: str = ""
    progress: Progress = Progress.QUEUED
    task: asyncio.Task[None] | None = None
    is_superseded: bool = False

    @property
    def crash_count(self) -> int:
        """Crashes of workers while they handled this attempt, including those counted before it was requeued."""
        requeued = self.event.requeued if isinstance(self.event, WorkRequested) else None
        return self.received.starts + (requeued.starts if requeued else 0)

    @property
    def is_running(self) -> bool:
        return self.task is not None and not self.task.done() and self.progress is Progress.RUNNING

    def attach(self, task: asyncio.Task[None]) -> None:
        self.task, self.progress = task, Progress.RUNNING

    def supersede(self) -> None:
        """Ends it as soon as it waits. A call in flight is already paid for and may end."""
        if not self.is_superseded:  # a second cancellation would count as a stop of the worker
            self.is_superseded = True
            self.interrupt()

    def interrupt(self) -> None:
        """Cancels it if it waits."""
        if self.progress is Progress.WAITING and self.task:
            self.task.cancel()

    async def wait(self, until: Callable[[], Awaitable[T]]) -> T:
        """Raises Superseded."""
        if self.is_superseded:
            raise Superseded
        self.progress = Progress.WAITING
        try:
            return await until()
        except asyncio.CancelledError:
            if self.is_superseded and self.task and self.task.uncancel() == 0:
                raise Superseded from None
            raise  # the worker stops
        finally:
            self.progress = Progress.RUNNING


def decode_delivery(delivery: Delivery) -> InFlightDelivery:
    """Raises NewerVersion."""
    try:
        return InFlightDelivery(delivery, decode(delivery.record).event)
    except InvalidEvent as error:
        return InFlightDelivery(delivery, problem=str(error))
