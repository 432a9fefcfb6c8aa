"""Timeouts, lost connections, internal errors: one submission's own, or an outage? `gemini.py`, `catalog.py` ask."""

import time
from collections.abc import Awaitable, Callable

SEVERAL = 3  # different requests in a row, none of which was answered: no probe is believed against that


class OutageDetector:
    """What was answered speaks against an outage, what was not and a free probe that fails speak for one."""

    def __init__(self, probe: Callable[[], Awaitable[bool]]) -> None:
        """`probe`: whether the other side answers something that costs nothing."""
        self._probe = probe
        self._answered_at = 0.0
        self._in_doubt: set[str] = set()

    def answered(self) -> None:
        self._answered_at = time.monotonic()
        self._in_doubt.clear()

    async def is_outage(self, request: str, began: float) -> bool:
        """Whether that is why the request was not answered, which began then (monotonic seconds)."""
        if self._answered_at > began:
            return False
        if len(self._in_doubt) < SEVERAL:
            self._in_doubt.add(request)
        return len(self._in_doubt) >= SEVERAL or not await self._probe()
