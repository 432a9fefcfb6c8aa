"""How long an API that does not answer is tolerated."""

import time

from topicflow.errors import CommandError, ServiceUnavailable, TooManyRequests


class Patience:
    """`seconds` without an answer; pauses between attempts grow with the silence, up to `longest_pause` seconds."""

    def __init__(self, seconds: float, longest_pause: float = 10.0) -> None:
        self._seconds = seconds
        self._longest_pause = longest_pause
        self._answered_at = time.monotonic()

    def answered(self) -> None:
        self._answered_at = time.monotonic()

    def pause_after(self, error: CommandError, shortest: float) -> float:
        """Seconds until the next attempt. Raises the error when patience is over. A rate limit is an answer."""
        if isinstance(error, TooManyRequests):
            self.answered()
        silence = time.monotonic() - self._answered_at
        if silence > self._seconds:
            raise error
        requested = error.retry_after or 0.0 if isinstance(error, ServiceUnavailable) else 0.0
        return min(self._longest_pause, max(shortest, silence / 2, requested))
