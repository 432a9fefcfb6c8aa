"""The moods that the stand-in was told, and which of them a call or a probe meets."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal[
    "429", "500", "503", "504", "400", "401", "403", "404", "bad_key",
    "block", "finish", "empty", "bad_json", "bad_item", "missing_item",
    "fence", "chat", "object", "page", "slow", "hang", "reset",
]  # fmt: skip
OF_ITEMS = frozenset({"bad_item", "missing_item"})  # spoil single items, their neighbours stay good
# of the whole service; a quota does not stop a free probe
OF_PROBES = frozenset({"500", "503", "504", "401", "403", "404", "bad_key", "page", "hang", "reset"})
LATE = frozenset({"slow", "hang"})
ROUNDING = 1e-9  # what a sum of shares may lack of a whole call
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class Mood(BaseModel):
    """One mood and its scope: without `title_contains` every call, without an end until cleared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mood: Kind
    title_contains: str | None = Field(default=None, min_length=1)
    of_key: str | None = None  # of calls with this API key only
    share: Annotated[float, Field(gt=0, le=1)] = 1  # of the calls in its scope: 0.05 meets every twentieth
    after_seconds: Seconds = 0  # until it begins
    for_seconds: Seconds | None = None  # from then on
    times: int | None = Field(default=None, ge=1)  # calls
    retry_after_seconds: Seconds = 3  # 429 only
    in_header: bool = False  # 429 only: says it as Retry-After, and not in the details
    of_the_day: bool = False  # 429 only: the day's quota is used up, and not a minute's
    reason: str = Field(default="SAFETY", min_length=1)  # block (of the prompt) and finish (of the answer) only
    status: Annotated[int, Field(ge=200, le=599)] = 200  # page (of a proxy, which knows nothing of Gemini) only
    seconds: Seconds = 3600  # slow and hang only: until it is answered

    @property
    def is_of_all(self) -> bool:
        return self.title_contains is None and self.of_key is None and self.share == 1

    def meets(self, title: str) -> bool:
        return self.title_contains is None or self.title_contains.casefold() in title.casefold()

    def is_about(self, titles: Sequence[str], key: str) -> bool:
        is_for_titles = self.title_contains is None or any(map(self.meets, titles))
        return is_for_titles and self.of_key in {None, key}


@dataclass(slots=True)
class _Told:
    """`begins`: by the clock; `left`: of its times; `calls`: in its scope, of which it has its share."""

    mood: Mood
    begins: float
    left: int | None
    calls: int = 0

    @property
    def ends(self) -> float:
        return math.inf if self.mood.for_seconds is None else self.begins + self.mood.for_seconds

    def takes_one_more(self) -> bool:
        """Whether this call in its scope belongs to its share, and counts as one of its times."""
        before, self.calls = self.calls, self.calls + 1
        taken, takes = (math.floor(calls * self.mood.share + ROUNDING) for calls in (before, self.calls))
        if taken == takes:
            return False
        self.left = None if self.left is None else self.left - 1
        return True


@dataclass(slots=True)
class Moods:
    """Where several meet a call, the one told first has it until it ends."""

    clock: Callable[[], float] = time.monotonic
    told: list[_Told] = field(default_factory=list)

    def tell(self, moods: Sequence[Mood]) -> None:
        now = self.clock()
        self.told += [_Told(mood, now + mood.after_seconds, mood.times) for mood in moods]

    def clear(self) -> None:
        self.told.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Each as it was told, with `begins_in_seconds`, or `seconds_left` and `times_left` where it ends by itself."""
        now = self.clock()
        return [_listed(one, now) for one in self._not_ended(now)]

    def of_call(self, titles: Sequence[str], key: str = "") -> Mood | None:
        """The mood this call meets as a whole."""
        for one in self._in_force():
            mood = one.mood
            if mood.mood not in OF_ITEMS and mood.is_about(titles, key) and one.takes_one_more():
                return mood
        return None

    def of_items(self, titles: Sequence[str], key: str = "") -> list[Kind | None]:
        """How each item is spoiled, in the order of the titles; a mood's call counts once, however many it meets."""
        spoils: list[Kind | None] = [None] * len(titles)
        for one in self._in_force():
            if one.mood.mood not in OF_ITEMS:
                continue
            met = [n for n, title in enumerate(titles) if spoils[n] is None and one.mood.is_about([title], key)]
            if met and one.takes_one_more():
                for n in met:
                    spoils[n] = one.mood.mood
        return spoils

    def of_probe(self) -> Mood | None:
        """The mood a look at the model meets; a probe uses up none of its times."""
        moods = (one.mood for one in self._in_force())
        return next((mood for mood in moods if mood.mood in OF_PROBES and mood.is_of_all), None)

    def _in_force(self) -> list[_Told]:
        now = self.clock()
        return [one for one in self._not_ended(now) if one.begins <= now]

    def _not_ended(self, now: float) -> list[_Told]:
        self.told = [one for one in self.told if one.left != 0 and now < one.ends]
        return self.told


def _listed(one: _Told, now: float) -> dict[str, Any]:
    listed = one.mood.model_dump(exclude_unset=True)
    if now < one.begins:
        listed["begins_in_seconds"] = round(one.begins - now, 3)
    elif one.ends < math.inf:
        listed["seconds_left"] = round(one.ends - now, 3)
    if one.left is not None:
        listed["times_left"] = one.left
    return listed
