"""When an injected fault is active, and which share of the calls it affects."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

LATE = frozenset({"slow", "hang"})
ROUNDING = 1e-9  # tolerance when adding up shares
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class FaultSchedule(BaseModel):
    """Lasts until it is cleared, unless limited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: Annotated[float, Field(gt=0, le=1)] = 1  # of the calls in its scope: 0.05 affects every twentieth
    after_seconds: Seconds = 0  # before it starts
    for_seconds: Seconds | None = None  # duration
    times: int | None = Field(default=None, ge=1)  # calls


M = TypeVar("M", bound=FaultSchedule)


@dataclass(slots=True)
class ScheduledFault(Generic[M]):
    """`starts_at`: clock time; `times_left`: None if unlimited; `calls`: number in its scope so far."""

    fault: M
    starts_at: float
    times_left: int | None
    calls: int = 0

    @property
    def ends_at(self) -> float:
        return math.inf if self.fault.for_seconds is None else self.starts_at + self.fault.for_seconds

    def applies_to_next(self) -> bool:
        """Whether the next call in its scope belongs to its share; if so, it counts as one of its times."""
        before, self.calls = self.calls, self.calls + 1
        affected, now_affected = (math.floor(calls * self.fault.share + ROUNDING) for calls in (before, self.calls))
        if affected == now_affected:
            return False
        self.times_left = None if self.times_left is None else self.times_left - 1
        return True


@dataclass(slots=True)
class Faults(Generic[M]):
    """If several faults match a call, the one injected first applies."""

    clock: Callable[[], float] = time.monotonic
    scheduled: list[ScheduledFault[M]] = field(default_factory=list)

    def inject(self, faults: Sequence[M]) -> None:
        now = self.clock()
        self.scheduled += [ScheduledFault(fault, now + fault.after_seconds, fault.times) for fault in faults]

    def clear(self) -> None:
        self.scheduled.clear()

    def as_dicts(self) -> list[dict[str, Any]]:
        """Faults as injected, with `begins_in_seconds`, or `seconds_left` and `times_left` if limited."""
        now = self.clock()
        return [_as_dict(scheduled, now) for scheduled in self._unfinished(now)]

    def active(self) -> list[ScheduledFault[M]]:
        now = self.clock()
        return [scheduled for scheduled in self._unfinished(now) if scheduled.starts_at <= now]

    def _unfinished(self, now: float) -> list[ScheduledFault[M]]:
        self.scheduled = [
            scheduled for scheduled in self.scheduled if scheduled.times_left != 0 and now < scheduled.ends_at
        ]
        return self.scheduled


def _as_dict(scheduled: ScheduledFault[M], now: float) -> dict[str, Any]:
    fault = scheduled.fault.model_dump(exclude_unset=True)
    if now < scheduled.starts_at:
        fault["begins_in_seconds"] = round(scheduled.starts_at - now, 3)
    elif scheduled.ends_at < math.inf:
        fault["seconds_left"] = round(scheduled.ends_at - now, 3)
    if scheduled.times_left is not None:
        fault["times_left"] = scheduled.times_left
    return fault
