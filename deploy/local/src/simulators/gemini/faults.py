"""Faults of the Gemini simulator, and which one applies to a call or a probe."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from simulators.faults import Faults, FaultSchedule, Seconds

Kind = Literal[
    "429", "500", "503", "504", "400", "401", "403", "404", "bad_key",
    "block", "finish", "empty", "bad_json", "bad_item", "missing_item",
    "fence", "chat", "object", "page", "slow", "hang", "reset",
]  # fmt: skip
ITEM_FAULTS = frozenset({"bad_item", "missing_item"})  # affect single items of a call
# of the whole service; a free probe does not count against a quota
PROBE_FAULTS = frozenset({"500", "503", "504", "401", "403", "404", "bad_key", "page", "hang", "reset"})


class GeminiFault(FaultSchedule):
    """One fault and its scope; default: every call."""

    fault: Kind
    title_contains: str | None = Field(default=None, min_length=1)
    of_key: str | None = None  # only calls with this API key
    retry_after_seconds: Seconds = 3  # 429 only
    in_header: bool = False  # 429 only: in Retry-After instead of the details
    of_the_day: bool = False  # 429 only: the daily quota is used up, not that of a minute
    reason: str = Field(default="SAFETY", min_length=1)  # block (of the prompt) and finish (of the answer) only
    status: Annotated[int, Field(ge=200, le=599)] = 200  # page only: answered by a proxy
    seconds: Seconds = 3600  # slow and hang only: until the answer

    @property
    def affects_everything(self) -> bool:
        return self.title_contains is None and self.of_key is None and self.share == 1

    def matches_title(self, title: str) -> bool:
        return self.title_contains is None or self.title_contains.casefold() in title.casefold()

    def matches(self, titles: Sequence[str], key: str) -> bool:
        matches_titles = self.title_contains is None or any(map(self.matches_title, titles))
        return matches_titles and self.of_key in {None, key}


class GeminiFaults(Faults[GeminiFault]):
    def of_call(self, titles: Sequence[str], key: str = "") -> GeminiFault | None:
        """The fault of this call as a whole."""
        for scheduled in self.active():
            fault = scheduled.fault
            if fault.fault not in ITEM_FAULTS and fault.matches(titles, key) and scheduled.applies_to_next():
                return fault
        return None

    def of_items(self, titles: Sequence[str], key: str = "") -> list[Kind | None]:
        """The fault of each item, in the order of the titles. A call counts once for a fault, whatever the number of
        items."""
        kinds: list[Kind | None] = [None] * len(titles)
        for scheduled in self.active():
            if scheduled.fault.fault not in ITEM_FAULTS:
                continue
            fault = scheduled.fault
            affected = [n for n, title in enumerate(titles) if kinds[n] is None and fault.matches([title], key)]
            if affected and scheduled.applies_to_next():
                for n in affected:
                    kinds[n] = fault.fault
        return kinds

    def of_probe(self) -> GeminiFault | None:
        """The fault of a probe, which does not count as one of its times."""
        faults = (scheduled.fault for scheduled in self.active())
        return next((fault for fault in faults if fault.fault in PROBE_FAULTS and fault.affects_everything), None)
