"""Counts a simulator's concurrent calls, and their maximum."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class InFlight:
    in_flight: int = 0
    most_in_flight: int = 0

    @contextmanager
    def track(self) -> Iterator[None]:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1
