"""Faults of the catalogue simulator, which calls they affect, and counts of its calls."""

from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, get_args

from pydantic import Field

from simulators.faults import Faults, FaultSchedule, Seconds
from simulators.in_flight import InFlight

Route = Literal["login", "list", "read", "search", "patch", "enhance"]
Kind = Literal[
    "400", "401", "403", "404", "422", "429", "500", "502", "503", "504", "page", "slow", "hang", "reset", "lost"
]


class CatalogFault(FaultSchedule):
    """One fault and its scope; default: every call.

    `page`: a 200 from a proxy instead of the catalogue; `lost`: the request is carried out, then the connection is
    reset.
    """

    fault: Kind
    route: Route | None = None
    urn_contains: str | None = Field(default=None, min_length=1)
    retry_after_seconds: Seconds | None = None  # as Retry-After; 429 and 503 only
    seconds: Seconds = 3600  # slow and hang only: until the answer

    def matches(self, route: Route, urn: str) -> bool:
        return self.route in (None, route) and (self.urn_contains is None or self.urn_contains in urn)


class CatalogFaults(Faults[CatalogFault]):
    def of_call(self, route: Route, urn: str) -> CatalogFault | None:
        """The fault of this call, if any."""
        for scheduled in self.active():
            if scheduled.fault.matches(route, urn) and scheduled.applies_to_next():
                return scheduled.fault
        return None


@dataclass(slots=True)
class CatalogCalls(InFlight):
    """Calls since the last reset. By URN: those that were carried out, whether or not the response arrived."""

    by_route: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(get_args(Route), 0)))
    by_status: Counter[str] = field(default_factory=Counter)  # or "reset", or "gone" if the client disconnected
    reads: Counter[str] = field(default_factory=Counter)
    patches: Counter[str] = field(default_factory=Counter)
    enhances: Counter[str] = field(default_factory=Counter)

    def track_call(self, route: Route) -> AbstractContextManager[None]:
        self.by_route[route] += 1
        return self.track()
