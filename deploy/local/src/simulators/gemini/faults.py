"""Faults of the Gemini simulator, and which of them a call or a probe meets."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from simulators.faults import Faults, FaultSchedule, Seconds

Kind = Literal[
    "429", "500", "503", "504", "400", "401", "403", "404", "bad_key",
    "block", "finish", "empty", "bad_json", "bad_item", "missing_item",
    "fence", "chat", "object", "page", "slow", "hang", "reset",
]  # fmt: skip
OF_ITEMS = frozenset({"bad_item", "missing_item"})  # spoil single items, their neighbours stay good
# of the whole service; a quota does not stop a free probe
OF_PROBES = frozenset({"500", "503", "504", "401", "403", "404", "bad_key", "page", "hang", "reset"})


class GeminiFault(FaultSchedule):
    """One fault and its scope: without `title_contains` every call."""

    fault: Kind
    title_contains: str | None = Field(default=None, min_length=1)
    of_key: str | None = None  # of calls with this API key only
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


class GeminiFaults(Faults[GeminiFault]):
    def of_call(self, titles: Sequence[str], key: str = "") -> GeminiFault | None:
        """The fault this call meets as a whole."""
        for one in self.in_force():
            fault = one.fault
            if fault.fault not in OF_ITEMS and fault.is_about(titles, key) and one.takes_one_more():
                return fault
        return None

    def of_items(self, titles: Sequence[str], key: str = "") -> list[Kind | None]:
        """How each item is spoiled, in the order of the titles; a fault's call counts once, however many it meets."""
        spoils: list[Kind | None] = [None] * len(titles)
        for one in self.in_force():
            if one.fault.fault not in OF_ITEMS:
                continue
            met = [n for n, title in enumerate(titles) if spoils[n] is None and one.fault.is_about([title], key)]
            if met and one.takes_one_more():
                for n in met:
                    spoils[n] = one.fault.fault
        return spoils

    def of_probe(self) -> GeminiFault | None:
        """The fault a look at the model meets; a probe uses up none of its times."""
        faults = (one.fault for one in self.in_force())
        return next((fault for fault in faults if fault.fault in OF_PROBES and fault.is_of_all), None)
