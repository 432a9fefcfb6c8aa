"""Whether a loop gets on: it says each time that it has turned, and `/ready` asks."""

import time

from shared.errors import TopicflowError

STANDS_STILL_AFTER = 10.0  # seconds; longer than any single wait of a loop that is well


class NotReady(TopicflowError): ...


class StallDetector:
    def __init__(self, loop: str) -> None:
        """`loop`: what it is called where it stands still."""
        self._loop = loop
        self._turned_at: float | None = None  # monotonic

    def tick(self) -> None:
        self._turned_at = time.monotonic()

    def check(self) -> None:
        """Raises NotReady."""
        if self._turned_at is None:
            raise NotReady(f"{self._loop} has not started yet")
        seconds = time.monotonic() - self._turned_at
        if seconds > STANDS_STILL_AFTER:
            raise NotReady(f"{self._loop} has made no progress for {seconds:.0f} s")
