"""When an injected fault is in force, and which share of the calls it hits."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

LATE = frozenset({"slow", "hang"})
ROUNDING = 1e-9  # what a sum of shares may lack of a whole call
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class FaultSchedule(BaseModel):
    """Without an end it lasts until it is cleared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: Annotated[float, Field(gt=0, le=1)] = 1  # of the calls in its scope: 0.05 meets every twentieth
    after_seconds: Seconds = 0  # until it begins
    for_seconds: Seconds | None = None  # from then on
    times: int | None = Field(default=None, ge=1)  # calls


M = TypeVar("M", bound=FaultSchedule)


@dataclass(slots=True)
class ScheduledFault(Generic[M]):
    """`begins`: by the clock; `left`: of its times; `calls`: in its scope, of which it has its share."""

    fault: M
    begins: float
    left: int | None
    calls: int = 0

    @property
    def ends(self) -> float:
        return math.inf if self.fault.for_seconds is None else self.begins + self.fault.for_seconds

    def takes_one_more(self) -> bool:
        """Whether this call in its scope belongs to its share, and counts as one of its times."""
        before, self.calls = self.calls, self.calls + 1
        taken, takes = (math.floor(calls * self.fault.share + ROUNDING) for calls in (before, self.calls))
        if taken == takes:
            return False
        self.left = None if self.left is None else self.left - 1
        return True


@dataclass(slots=True)
class Faults(Generic[M]):
    """If several faults match a call, the one injected first applies."""

    clock: Callable[[], float] = time.monotonic
    scheduled: list[ScheduledFault[M]] = field(default_factory=list)

    def tell(self, faults: Sequence[M]) -> None:
        now = self.clock()
        self.scheduled += [ScheduledFault(fault, now + fault.after_seconds, fault.times) for fault in faults]

    def clear(self) -> None:
        self.scheduled.clear()

    def as_dicts(self) -> list[dict[str, Any]]:
        """Each as it was injected, with `begins_in_seconds`, or `seconds_left` and `times_left` if it is limited."""
        now = self.clock()
        return [_as_dict(one, now) for one in self._not_ended(now)]

    def in_force(self) -> list[ScheduledFault[M]]:
        now = self.clock()
        return [one for one in self._not_ended(now) if one.begins <= now]

    def _not_ended(self, now: float) -> list[ScheduledFault[M]]:
        self.scheduled = [one for one in self.scheduled if one.left != 0 and now < one.ends]
        return self.scheduled


def _as_dict(one: ScheduledFault[M], now: float) -> dict[str, Any]:
    fault = one.fault.model_dump(exclude_unset=True)
    if now < one.begins:
        fault["begins_in_seconds"] = round(one.begins - now, 3)
    elif one.ends < math.inf:
        fault["seconds_left"] = round(one.ends - now, 3)
    if one.left is not None:
        fault["times_left"] = one.left
    return fault
