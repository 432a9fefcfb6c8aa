"""Stall detector: a loop calls `tick()` on every iteration; `/ready` fails when it stalls."""

import time

from shared.errors import TopicflowError

STALLED_AFTER = 10.0  # seconds; longer than any single wait of a healthy loop


class NotReady(TopicflowError): ...


class StallDetector:
    def __init__(self, loop: str) -> None:
        """`loop`: its name in messages."""
        self._loop = loop
        self._ticked_at: float | None = None  # monotonic

    def tick(self) -> None:
        self._ticked_at = time.monotonic()

    def check(self) -> None:
        """Raises NotReady."""
        if self._ticked_at is None:
            raise NotReady(f"{self._loop} has not started yet")
        seconds = time.monotonic() - self._ticked_at
        if seconds > STALLED_AFTER:
            raise NotReady(f"{self._loop} has made no progress for {seconds:.0f} s")
