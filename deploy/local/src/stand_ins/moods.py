"""What the stand-in remembers: the moods asked for, which of them a request meets, and the calls made."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal[
    "429", "500", "503", "401", "block", "bad_json", "bad_item", "missing_item",
    "max_tokens", "empty", "hang", "reset",
]  # fmt: skip
OF_ITEMS = frozenset({"bad_item", "missing_item"})  # spoil single items, their neighbours stay good
OF_PROBES = frozenset({"500", "503", "401", "hang", "reset"})  # the whole service; a quota does not stop a free probe
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class Mood(BaseModel):
    """One mood and its scope: without `title_contains` every call, without an end until cleared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mood: Kind
    title_contains: str | None = Field(default=None, min_length=1)
    for_seconds: Seconds | None = None
    times: int | None = Field(default=None, ge=1)  # calls
    retry_after_seconds: Seconds = 3  # 429 only
    of_the_day: bool = False  # 429 only: the day's quota is used up, and not a minute's
    of_key: str | None = None  # of calls with this API key only
    seconds: Seconds = 3600  # hang only

    @property
    def is_of_all(self) -> bool:
        return self.title_contains is None and self.of_key is None

    def meets(self, title: str) -> bool:
        return self.title_contains is None or self.title_contains.casefold() in title.casefold()


@dataclass(slots=True)
class _InForce:
    mood: Mood
    until: float | None
    left: int | None

    def spend(self) -> None:
        self.left = None if self.left is None else self.left - 1


@dataclass(slots=True)
class Moods:
    """The moods in force. Where several meet a call, the one told first has it until it ends."""

    clock: Callable[[], float] = time.monotonic
    told: list[_InForce] = field(default_factory=list)

    def tell(self, mood: Mood) -> None:
        until = None if mood.for_seconds is None else self.clock() + mood.for_seconds
        self.told.append(_InForce(mood, until, mood.times))

    def clear(self) -> None:
        self.told.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Each mood as it was told, with `seconds_left` and `times_left` where it ends by itself."""
        return [
            one.mood.model_dump(exclude_unset=True)
            | ({} if one.until is None else {"seconds_left": round(one.until - self.clock(), 3)})
            | ({} if one.left is None else {"times_left": one.left})
            for one in self._in_force()
        ]

    def of_call(self, titles: Sequence[str], key: str = "") -> Mood | None:
        """The mood this call meets as a whole; counts as one of its times."""
        for one in self._in_force():
            if one.mood.of_key not in {None, key}:
                continue
            if one.mood.mood not in OF_ITEMS and _meets_any(one.mood, titles):
                one.spend()
                return one.mood
        return None

    def of_items(self, titles: Sequence[str]) -> list[Kind | None]:
        """How each item is spoiled, in the order of the titles; counts once, however many it meets."""
        spoils: list[Kind | None] = [None] * len(titles)
        for one in self._in_force():
            met = [n for n, title in enumerate(titles) if spoils[n] is None and one.mood.meets(title)]
            if met and one.mood.mood in OF_ITEMS:
                one.spend()
                for n in met:
                    spoils[n] = one.mood.mood
        return spoils

    def of_probe(self) -> Mood | None:
        """The mood a look at the model meets; a probe uses up none of its times."""
        moods = (one.mood for one in self._in_force())
        return next((mood for mood in moods if mood.mood in OF_PROBES and mood.is_of_all), None)

    def _in_force(self) -> list[_InForce]:
        now = self.clock()
        self.told = [one for one in self.told if one.left != 0 and (one.until is None or now < one.until)]
        return self.told


def _meets_any(mood: Mood, titles: Sequence[str]) -> bool:
    return mood.title_contains is None or any(mood.meets(title) for title in titles)


class Limit(BaseModel):
    """So many calls in any so many seconds; more are answered with 429."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


@dataclass(slots=True)
class Window:
    """The calls that count against the limit now."""

    limit: Limit
    clock: Callable[[], float] = time.monotonic
    times: deque[float] = field(default_factory=deque)

    def refusal(self) -> Mood | None:
        """None where one more call is within the limit; it counts then."""
        now = self.clock()
        while self.times and self.times[0] <= now - self.limit.seconds:
            self.times.popleft()
        if len(self.times) < self.limit.requests:
            self.times.append(now)
            return None
        return Mood(mood="429", retry_after_seconds=self.times[0] + self.limit.seconds - now)


@dataclass(slots=True)
class Calls:
    """What the model was asked since the last reset, and what came of it."""

    calls: int = 0
    probes: int = 0
    by_status: Counter[str] = field(default_factory=Counter)  # "reset", or "gone" where the caller left before
    titles: Counter[str] = field(default_factory=Counter)  # answered well: what a caller pays for
    in_flight: int = 0
    most_in_flight: int = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        self.calls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def reset(self) -> None:
        self.calls = self.probes = 0
        self.by_status.clear()
        self.titles.clear()
        self.most_in_flight = self.in_flight
