"""The status-projector alone, on streams that are full: what its work costs without anybody else's."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from servers.stack import KAFKA, VALKEY

from bench.card import CARD
from bench.figure import NO_AIM, Aim, Figure
from bench.filling import fill
from bench.processes import Costs
from bench.setting import BY_HAND, PROJECTING, setting
from bench.sizes import Sizes
from shared.events import SubmissionCompleted, SubmissionStarted, TopicSubmitted
from shared.ids import topic_id
from shared.messaging.cloudevents import Record, encode

TOPICS = 40_000
EVENTS = 3  # of each topic
AIMS = {VALKEY: NO_AIM, KAFKA: Aim(at_least=25_000)}


@dataclass(frozen=True, slots=True)
class _CaughtUp:
    events_per_s: float
    microseconds: Mapping[str, float]  # an event, by process
    megabytes: Mapping[str, float]


def projector(sizes: Sizes) -> Iterator[Figure]:
    """the projector alone, catching up on topics' events: submitted, started, completed"""
    ours, limit = (_catch_up(how, sizes) for how in (PROJECTING, BY_HAND))
    yield Figure("catching up", "events/s", ours.events_per_s, limit.events_per_s, aim=AIMS[sizes.on])
    for name in (PROJECTING, *sizes.servers):
        yield Figure(f"CPU an event, {name}", "µs", ours.microseconds[name], limit.microseconds[name])
    yield Figure("memory at the end", "MB", ours.megabytes[PROJECTING], limit.megabytes[PROJECTING])


def _catch_up(how: str, sizes: Sizes) -> _CaughtUp:
    """All from its first batch on, which is not counted."""
    topics = sizes.topics or TOPICS
    with setting(sizes.on) as run:
        asyncio.run(
            fill(run.stack, (record for n in range(topics) for record in _story(f"Projected topic number {n}")))
        )
        run.start_projector(how)
        costs = Costs(run.processes)
        before, began = 0, time.perf_counter()
        for _ in run.completing(topics):
            if not before and (before := run.projection.events):
                began = time.perf_counter()
                costs.begin(*run.processes)
            time.sleep(0.005)
        took = time.perf_counter() - began
        costs.begin(*run.processes)  # few events are one batch
        events = max(1, EVENTS * topics - before)
        return _CaughtUp(events / took, costs.microseconds(events), costs.megabytes())


def _story(title: str) -> list[Record]:
    about: dict[str, Any] = {"id": topic_id(title), "attempt": 1, "title": title, "submitted_at": datetime.now(UTC)}
    of_run = about | {"kind": "topic", "run": f"run of {title}", "worker": "bench"}
    events = (
        TopicSubmitted(**about, submitted_by="bench"),
        SubmissionStarted(**of_run),
        SubmissionCompleted(**of_run, content=CARD | {"title": title}, simulated=True),
    )
    return [encode(event, source="bench") for event in events]
