"""Decides whether timeouts, lost connections and internal errors concern one submission or are an outage."""

import time
from collections.abc import Awaitable, Callable

SEVERAL = 3  # different unanswered requests in a row are an outage, whatever the probe says


class OutageDetector:
    """Evidence against an outage: an answered request. Evidence for one: unanswered requests and a failed probe."""

    def __init__(self, probe: Callable[[], Awaitable[bool]]) -> None:
        """`probe`: whether the server answers a free request."""
        self._probe = probe
        self._answered_at = 0.0
        self._in_doubt: set[str] = set()

    def answered(self) -> None:
        self._answered_at = time.monotonic()
        self._in_doubt.clear()

    async def is_outage(self, request: str, began: float) -> bool:
        """Whether an outage is why the request was not answered. `began`: its start, in monotonic seconds."""
        if self._answered_at > began:
            return False
        if len(self._in_doubt) < SEVERAL:
            self._in_doubt.add(request)
        return len(self._in_doubt) >= SEVERAL or not await self._probe()
