"""The status-projector alone, on full streams: the cost of its work without other services."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from factories import completed, record, started
from servers.stack import KAFKA, VALKEY

from bench.bench_deployment import BY_HAND, PROJECTING, bench_deployment
from bench.card import CARD
from bench.figure import NO_AIM, Aim, Figure
from bench.fill_streams import fill, submission
from bench.processes import Costs
from bench.sizes import Sizes
from shared.messaging.cloudevents import Record

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
    topicflow, limit = (_catch_up(how, sizes) for how in (PROJECTING, BY_HAND))
    yield Figure("catching up", "events/s", topicflow.events_per_s, limit.events_per_s, aim=AIMS[sizes.on])
    for name in (PROJECTING, *sizes.servers):
        yield Figure(f"CPU an event, {name}", "µs", topicflow.microseconds[name], limit.microseconds[name])
    yield Figure("memory at the end", "MB", topicflow.megabytes[PROJECTING], limit.megabytes[PROJECTING])


def _catch_up(how: str, sizes: Sizes) -> _CaughtUp:
    """All from its first batch on, which is not counted."""
    topics = sizes.topics or TOPICS
    with bench_deployment(sizes.on) as run:
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
    run: dict[str, Any] = {"run": f"run of {title}", "submitted_at": datetime.now(UTC)}
    card = CARD | {"title": title}
    outcomes = started(title, **run), completed(title, **run, content=card, simulated=True)
    return [submission(title), *(record(event) for event in outcomes)]
