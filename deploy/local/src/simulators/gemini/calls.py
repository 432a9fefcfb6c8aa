"""Counts the calls to the Gemini simulator, and limits them."""

import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from simulators.gemini.faults import GeminiFault
from simulators.in_flight import InFlight

LATEST = 50  # calls whose titles are kept


class Limit(BaseModel):
    """N calls in any window of M seconds; more are answered with 429."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


@dataclass(slots=True)
class Window:
    """The calls in the current window of the limit."""

    limit: Limit
    clock: Callable[[], float] = time.monotonic
    times: deque[float] = field(default_factory=deque)

    def refusal(self) -> GeminiFault | None:
        """None if the limit allows one more call, which is then counted."""
        now = self.clock()
        while self.times and self.times[0] <= now - self.limit.seconds:
            self.times.popleft()
        if len(self.times) < self.limit.requests:
            self.times.append(now)
            return None
        return GeminiFault(fault="429", retry_after_seconds=self.times[0] + self.limit.seconds - now)


@dataclass(slots=True)
class GeminiCalls(InFlight):
    """Calls since the last reset, and their outcomes."""

    calls: int = 0
    probes: int = 0
    by_status: Counter[str] = field(default_factory=Counter)  # or "reset", or "gone" if the client disconnected
    titles: Counter[str] = field(default_factory=Counter)  # valid answers
    configs: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=LATEST))  # generationConfig of each
    latest: deque[list[str]] = field(default_factory=lambda: deque(maxlen=LATEST))  # titles of each call, in order

    def track_call(self) -> AbstractContextManager[None]:
        self.calls += 1
        return self.track()

    def reset(self) -> None:
        self.calls = self.probes = 0
        self.by_status.clear()
        self.titles.clear()
        self.latest.clear()
        self.configs.clear()
        self.most_in_flight = self.in_flight
