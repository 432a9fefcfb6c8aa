"""Who lives and who is to pause, from streams that every API replica reads itself; lives, by the broker's clock.

The API beats too and reads its own: the newest beat of all is the broker's time now, so the dead look old.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.events import Event, Problem, WaitingFor, WorkerBeat, WorkerPaused
from shared.resilience.circuit_breaker import PAUSED
from shared.streams import TOPIC_WORKER

DEAD_AFTER = timedelta(seconds=4.5)  # two beats missed; with one beat every 2 s known within 5 s
FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class WorkerState:
    beat: WorkerBeat
    stored_at: datetime  # by the broker


class ServiceProblem(Problem):
    service: str


class WorkerRegistry:
    def __init__(self) -> None:
        self._last: dict[tuple[str, str], WorkerState] = {}  # by service and instance
        self._newest: datetime | None = None
        self._newest_arrived = 0.0  # monotonic
        self._pauses: dict[str, WorkerPaused] = {}  # by service, the last word

    def note(self, beat: WorkerBeat, stored_at: datetime) -> None:
        self._last[beat.service, beat.instance] = WorkerState(beat, stored_at)
        if self._newest is None or stored_at >= self._newest:
            self._newest, self._newest_arrived = stored_at, time.monotonic()
        for who in [who for who, seen in self._last.items() if self._newest - seen.stored_at > FORGOTTEN_AFTER]:
            del self._last[who]

    def hear(self, event: Event) -> None:
        if isinstance(event, WorkerPaused):
            self._pauses[event.service] = event

    def pause_of(self, service: str) -> WorkerPaused | None:
        """Who wanted it and since when, while it lasts."""
        last = self._pauses.get(service)
        return last if last and last.paused else None

    @property
    def is_current(self) -> bool:
        """False while no heartbeat arrives at all, not even our own: then nothing is known."""
        return self._newest is not None and time.monotonic() - self._newest_arrived < DEAD_AFTER.total_seconds()

    def live(self, service: str) -> list[WorkerState]:
        return sorted(
            (seen for seen in self._live() if seen.beat.service == service), key=lambda seen: seen.beat.instance
        )

    def _live(self) -> list[WorkerState]:
        if self._newest is None:
            return []
        now = self._newest + timedelta(seconds=time.monotonic() - self._newest_arrived)
        return [seen for seen in self._last.values() if now - seen.stored_at < DEAD_AFTER]

    def waiting_for(self, service: str = TOPIC_WORKER) -> WaitingFor | None:
        """What its workers wait for: a pause, whether any of them lives or not, or the longest wait if all wait."""
        if pause := self.pause_of(service):
            return WaitingFor(reason=PAUSED, since=pause.at)
        waits = [seen.beat.waiting_for for seen in self.live(service)]
        known = [wait for wait in waits if wait]
        return min(known, key=lambda wait: wait.since) if known and len(known) == len(waits) else None

    def problems(self) -> list[ServiceProblem]:
        """What live processes want a person to mend, each once, by the services that say it."""
        said = {(seen.beat.service, problem) for seen in self._live() for problem in seen.beat.problems}
        found = [ServiceProblem(service=service, code=problem.code, text=problem.text) for service, problem in said]
        return sorted(found, key=lambda problem: (problem.code, problem.text, problem.service))

    def simulated(self, service: str = TOPIC_WORKER) -> bool | None:
        """Whether what its live workers call is a simulator; None while none of them knows."""
        known = [seen.beat.simulated for seen in self.live(service) if seen.beat.simulated is not None]
        return any(known) if known else None
