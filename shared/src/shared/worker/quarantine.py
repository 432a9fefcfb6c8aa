"""Deliveries whose workers crashed repeatedly: each one runs while nothing else of its group does, so the next crash is
most likely its own."""

from collections import deque
from collections.abc import Collection

from shared.worker.in_flight import InFlightDelivery

CRASHES_BEFORE_QUARANTINE = 2


def is_suspect(delivery: InFlightDelivery) -> bool:
    return delivery.crash_count >= CRASHES_BEFORE_QUARANTINE


def is_poisoned(delivery: InFlightDelivery) -> bool:
    """It crashed its worker while it was alone: it must not run again."""
    return delivery.crash_count > CRASHES_BEFORE_QUARANTINE


class Quarantine:
    def __init__(self) -> None:
        self.waiting: deque[InFlightDelivery] = deque()
        self._running: InFlightDelivery | None = None

    @property
    def is_active(self) -> bool:
        """While it is, nothing else may start."""
        return bool(self.waiting or self._running)

    def start_next(self, in_flight: Collection[InFlightDelivery]) -> InFlightDelivery | None:
        """Chooses the next one to run, once everything else in flight has ended."""
        if self.waiting and not self._running and len(in_flight) == len(self.waiting):
            self._running = self.waiting.popleft()
            return self._running
        return None

    def leave(self, delivery: InFlightDelivery) -> None:
        if self._running is delivery:
            self._running = None
