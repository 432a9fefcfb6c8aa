"""How the stand-in for the catalogue behaves when told to, which calls meet it, and what it was asked."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Route = Literal["login", "list", "read", "search", "patch", "enhance"]
Kind = Literal[
    "400", "401", "403", "404", "422", "429", "500", "502", "503", "504", "page", "slow", "hang", "reset", "lost"
]
LATE = frozenset({"slow", "hang"})
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class Mood(BaseModel):
    """One mood and its scope: without `route` and `urn_contains` every call, without an end until cleared.

    `page` answers 200 as a proxy would that knows nothing of the catalogue; `lost` does what it is asked, and then
    resets the connection.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mood: Kind
    route: Route | None = None
    urn_contains: str | None = Field(default=None, min_length=1)
    for_seconds: Seconds | None = None
    times: int | None = Field(default=None, ge=1)  # calls
    retry_after_seconds: Seconds | None = None  # as Retry-After; 429 and 503 only
    seconds: Seconds = 3600  # slow and hang only: until it is answered

    def is_about(self, route: Route, urn: str) -> bool:
        return self.route in (None, route) and (self.urn_contains is None or self.urn_contains in urn)


@dataclass(slots=True)
class _Told:
    mood: Mood
    ends: float | None
    left: int | None


@dataclass(slots=True)
class Moods:
    """Where several meet a call, the one told first has it until it ends."""

    told: list[_Told] = field(default_factory=list)

    def tell(self, mood: Mood) -> None:
        ends = None if mood.for_seconds is None else time.monotonic() + mood.for_seconds
        self.told.append(_Told(mood, ends, mood.times))

    def clear(self) -> None:
        self.told.clear()

    def listed(self) -> list[dict[str, Any]]:
        return [one.mood.model_dump(exclude_unset=True) for one in self._in_force()]

    def of_call(self, route: Route, urn: str) -> Mood | None:
        """Counts as one of its times."""
        for one in self._in_force():
            if one.mood.is_about(route, urn):
                one.left = None if one.left is None else one.left - 1
                return one.mood
        return None

    def _in_force(self) -> list[_Told]:
        if self.told:
            now = time.monotonic()
            self.told = [one for one in self.told if one.left != 0 and (one.ends is None or now < one.ends)]
        return self.told


@dataclass(slots=True)
class Calls:
    """Since the last reset. By URN: what was carried out, whether or not its answer arrived."""

    by_route: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(get_args(Route), 0)))
    by_status: Counter[str] = field(default_factory=Counter)  # "reset", or "gone" where the caller left before
    reads: Counter[str] = field(default_factory=Counter)
    patches: Counter[str] = field(default_factory=Counter)
    enhances: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0

    @contextmanager
    def one_more(self, route: Route) -> Iterator[None]:
        self.by_route[route] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1
