"""How the simulator for the catalogue behaves when told to, which calls meet it, and what it was asked."""

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
    """One fault and its scope: without `route` and `urn_contains` every call.

    `page` answers 200 as a proxy would that knows nothing of the catalogue; `lost` does what it is asked, and then
    resets the connection.
    """

    fault: Kind
    route: Route | None = None
    urn_contains: str | None = Field(default=None, min_length=1)
    retry_after_seconds: Seconds | None = None  # as Retry-After; 429 and 503 only
    seconds: Seconds = 3600  # slow and hang only: until it is answered

    def is_about(self, route: Route, urn: str) -> bool:
        return self.route in (None, route) and (self.urn_contains is None or self.urn_contains in urn)


class CatalogMoods(Faults[CatalogFault]):
    def of_call(self, route: Route, urn: str) -> CatalogFault | None:
        """The fault that this call meets."""
        for one in self.in_force():
            if one.fault.is_about(route, urn) and one.takes_one_more():
                return one.fault
        return None


@dataclass(slots=True)
class CatalogCalls(InFlight):
    """Since the last reset. By URN: what was carried out, whether or not its answer arrived."""

    by_route: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(get_args(Route), 0)))
    by_status: Counter[str] = field(default_factory=Counter)  # "reset", or "gone" where the caller left before
    reads: Counter[str] = field(default_factory=Counter)
    patches: Counter[str] = field(default_factory=Counter)
    enhances: Counter[str] = field(default_factory=Counter)

    def one_more(self, route: Route) -> AbstractContextManager[None]:
        self.by_route[route] += 1
        return self.one_more_in_flight()
