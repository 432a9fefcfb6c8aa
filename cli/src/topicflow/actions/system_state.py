"""The state of the system, read from cheap routes. Shown by `status` and `up`."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from local_processes.plain_text import one_line
from topicflow.client.api import ApiClient, answer_of
from topicflow.views.times import local_time

STATUSES = ("pending", "processing", "completed", "failed")


@dataclass(frozen=True, slots=True)
class SystemState:
    status: dict[str, Any]  # GET /processing-status
    worker: dict[str, Any]  # GET /worker-status
    health: dict[str, Any] = field(default_factory=dict)  # GET /health, if it was read

    def count(self, status: str) -> int:
        return int(self.status.get(f"{status}_count") or 0)

    @property
    def is_processing(self) -> bool:
        return self.count("pending") + self.count("processing") > 0

    @property
    def worker_is_running(self) -> bool:
        return self.worker.get("worker_running") is True

    @property
    def workers(self) -> list[dict[str, Any]]:
        return list(self.worker.get("workers") or ())

    @property
    def simulated(self) -> bool | None:
        return self.status.get("simulated")

    @property
    def failures(self) -> list[dict[str, Any]]:
        return list(self.status.get("recent_failures") or ())

    @property
    def lag_seconds(self) -> float | None:
        """Seconds that the oldest event has been waiting to be projected; None while unknown."""
        lag = self.status.get("projection_lag_seconds")
        return None if lag is None else float(lag)

    @property
    def waiting(self) -> str | None:
        return waiting_reason(
            self.status.get("waiting_for"), is_waiting=self.is_processing, is_running=self.worker_is_running
        )

    @property
    def no_room(self) -> str | None:
        """Why new work is refused, if it is."""
        reason = self.health.get("no_room")
        return one_line(reason) if reason else None

    @property
    def problems(self) -> list[str]:
        """Warnings of live processes, each once."""
        return list(dict.fromkeys(one_line(problem.get("text") or "") for problem in self.health.get("problems") or ()))

    @property
    def backlogs(self) -> dict[str, dict[str, Any]]:
        """Backlog by consumer group."""
        groups = self.health.get("lag")
        return {one_line(name): dict(waits) for name, waits in groups.items()} if isinstance(groups, dict) else {}

    @property
    def article_worker(self) -> dict[str, Any]:
        """State of the enrichers; empty if articles are turned off."""
        worker = self.health.get("worker")
        return dict(worker) if isinstance(worker, dict) else {}

    @property
    def line(self) -> str:
        """The whole state in one line of text."""
        counts = ", ".join(f"{self.count(status)} {status}" for status in STATUSES)
        worker = "" if self.worker_is_running else "; no worker is running"
        waiting = waiting_line(self.status.get("waiting_for"))
        no_room = f"; new work is refused: {self.no_room}" if self.no_room else ""
        problems = "".join(f"; problem: {problem}" for problem in self.problems)
        return counts + worker + (f"; waiting: {waiting}" if waiting else "") + no_room + problems


def waiting_reason(waiting_for: object, *, is_waiting: bool, is_running: bool) -> str | None:
    """What pending work is waiting for, or that no worker is running."""
    return "no worker is running" if is_waiting and not is_running else waiting_line(waiting_for)


def waiting_line(waiting_for: object) -> str | None:
    """`{reason, since, until, message}` as one line."""
    if not isinstance(waiting_for, dict):
        return None
    reason = one_line(waiting_for.get("reason") or "something")
    since, until = local_time(waiting_for.get("since")), local_time(waiting_for.get("until"))
    message = one_line(waiting_for.get("message") or "")
    times = (f", since {since}" if since else "") + (f", until {until}" if until else "")
    return reason + times + (f": {message}" if message else "")


async def read_state(api: ApiClient) -> SystemState:
    """The state without GET /health."""
    status, worker = await asyncio.gather(api.get("/processing-status"), api.get("/worker-status"))
    return SystemState(answer_of(status), answer_of(worker))


async def read_state_and_health(api: ApiClient) -> SystemState:
    state, health = await asyncio.gather(read_state(api), api.health())
    return replace(state, health=answer_of(health))
