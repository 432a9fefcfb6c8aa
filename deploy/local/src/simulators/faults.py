"""When a fault that a simulator was told is in force, and which calls are its share, whatever it is about."""

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
    """Where several meet a call, the one told first has it until it ends."""

    clock: Callable[[], float] = time.monotonic
    told: list[ScheduledFault[M]] = field(default_factory=list)

    def tell(self, faults: Sequence[M]) -> None:
        now = self.clock()
        self.told += [ScheduledFault(fault, now + fault.after_seconds, fault.times) for fault in faults]

    def clear(self) -> None:
        self.told.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Each as it was told, with `begins_in_seconds`, or `seconds_left` and `times_left` where it ends by itself."""
        now = self.clock()
        return [_listed(one, now) for one in self._not_ended(now)]

    def in_force(self) -> list[ScheduledFault[M]]:
        now = self.clock()
        return [one for one in self._not_ended(now) if one.begins <= now]

    def _not_ended(self, now: float) -> list[ScheduledFault[M]]:
        self.told = [one for one in self.told if one.left != 0 and now < one.ends]
        return self.told


def _listed(one: ScheduledFault[M], now: float) -> dict[str, Any]:
    listed = one.fault.model_dump(exclude_unset=True)
    if now < one.begins:
        listed["begins_in_seconds"] = round(one.begins - now, 3)
    elif one.ends < math.inf:
        listed["seconds_left"] = round(one.ends - now, 3)
    if one.left is not None:
        listed["times_left"] = one.left
    return listed
