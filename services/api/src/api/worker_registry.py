"""Live processes and pauses, from streams that every API replica reads; liveness is by the broker's clock.

The API sends heartbeats too and reads its own: the newest heartbeat gives the broker's current time.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from pydantic import BaseModel

from shared.events import PAUSED, Event, Problem, WaitingFor, WorkerHeartbeat, WorkerPauseChanged
from shared.streams import TOPIC_WORKER

DEAD_AFTER = timedelta(seconds=4.5)  # two missed heartbeats; with one every 2 s, detected within 5 s
FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class WorkerState:
    heartbeat: WorkerHeartbeat
    stored_at: datetime  # the broker's time


class LiveWorker(BaseModel):  # a docstring would be its description in the OpenAPI document
    service: str
    instance: str
    version: str
    in_flight: int
    slots: int
    processed: int
    failed: int
    started_at: datetime
    last_seen: datetime

    @classmethod
    def of(cls, state: WorkerState) -> Self:
        return cls(**state.heartbeat.model_dump(), version=state.heartbeat.app_version, last_seen=state.stored_at)


class ServiceProblem(Problem):
    service: str


class WorkerRegistry:
    def __init__(self) -> None:
        self._last: dict[tuple[str, str], WorkerState] = {}  # by service and instance
        self._newest: datetime | None = None
        self._newest_arrived = 0.0  # monotonic
        self._pauses: dict[str, WorkerPauseChanged] = {}  # by service, the latest event

    def on_heartbeat(self, heartbeat: WorkerHeartbeat, stored_at: datetime) -> None:
        self._last[heartbeat.service, heartbeat.instance] = WorkerState(heartbeat, stored_at)
        if self._newest is None or stored_at >= self._newest:
            self._newest, self._newest_arrived = stored_at, time.monotonic()
        for who in [who for who, seen in self._last.items() if self._newest - seen.stored_at > FORGOTTEN_AFTER]:
            del self._last[who]

    def on_control_event(self, event: Event) -> None:
        if isinstance(event, WorkerPauseChanged):
            self._pauses[event.service] = event

    def pause_of(self, service: str) -> WorkerPauseChanged | None:
        """The current pause with its author and time, if any."""
        last = self._pauses.get(service)
        return last if last and last.paused else None

    @property
    def is_current(self) -> bool:
        """False while no heartbeat arrives, not even our own: then liveness is unknown."""
        return self._newest is not None and time.monotonic() - self._newest_arrived < DEAD_AFTER.total_seconds()

    def live(self, service: str) -> list[WorkerState]:
        return sorted(
            (seen for seen in self._live() if seen.heartbeat.service == service),
            key=lambda seen: seen.heartbeat.instance,
        )

    def _live(self) -> list[WorkerState]:
        if self._newest is None:
            return []
        now = self._newest + timedelta(seconds=time.monotonic() - self._newest_arrived)
        return [seen for seen in self._last.values() if now - seen.stored_at < DEAD_AFTER]

    def waiting_for(self, service: str = TOPIC_WORKER) -> WaitingFor | None:
        """What its workers wait for: a pause, even without live workers, or the longest wait if all of them wait."""
        if pause := self.pause_of(service):
            return WaitingFor(reason=PAUSED, since=pause.at)
        waits = [seen.heartbeat.waiting_for for seen in self.live(service)]
        known = [wait for wait in waits if wait]
        return min(known, key=lambda wait: wait.since) if known and len(known) == len(waits) else None

    def problems(self) -> list[ServiceProblem]:
        """Problems for an operator to fix, as reported by live processes, without duplicates."""
        reported = {(seen.heartbeat.service, problem) for seen in self._live() for problem in seen.heartbeat.problems}
        problems = [
            ServiceProblem(service=service, code=problem.code, text=problem.text) for service, problem in reported
        ]
        return sorted(problems, key=lambda problem: (problem.code, problem.text, problem.service))

    def simulated(self, service: str = TOPIC_WORKER) -> bool | None:
        """Whether its live workers call a simulator; None while unknown."""
        known = [seen.heartbeat.simulated for seen in self.live(service) if seen.heartbeat.simulated is not None]
        return any(known) if known else None
