"""System-wide gauges of /metrics, read for each scrape at constant cost.

Gauges of a dependency that does not respond are absent. A new gauge is one line in `shared/observability/metrics.py`
and one here.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from api.access.admission import Load
from api.projection.repository import ProjectionQueries
from api.worker_registry import WorkerRegistry
from shared.db.engine import DatabaseUnreachable
from shared.errors import BrokerUnreachable
from shared.observability import metrics
from shared.status import STATUSES
from shared.streams import ENRICHER, PROJECTOR, TOPIC_WORKER

PATIENCE = 2.0  # seconds per dependency; Prometheus waits ten
STATES = ("waiting", "in_flight")
T = TypeVar("T")


async def read_system_gauges(projection: ProjectionQueries, workers: WorkerRegistry, load: Load | None) -> None:
    topics, articles, letters, age = await asyncio.gather(
        _or_none(projection.counts("topic")),
        _or_none(projection.counts("article")),
        _or_none(projection.dead_letters()),
        _or_none(projection.freshness()),
    )
    known = {kind: counts for kind, counts in (("topic", topics), ("article", articles)) if counts is not None}
    metrics.SUBMISSIONS_NOW.show(
        {(kind, status): counts.get(status, 0) for kind, counts in known.items() for status in STATUSES}
    )
    metrics.DEAD_LETTERS_NOW.show({(): letters} if letters is not None else {})
    lag = age and age["projection_lag_seconds"]
    metrics.PROJECTION_LAG.show({(): lag} if lag is not None else {})
    live: dict[tuple[str, ...], float] = {
        (service,): len(workers.live(service)) for service in ("api", PROJECTOR, TOPIC_WORKER, ENRICHER)
    }
    metrics.LIVE_PROCESSES.show(live if workers.is_current else {})
    _show_load(load)


def _show_load(load: Load | None) -> None:
    """From the last poll, at most half a second old."""
    groups = load.groups if load else {}
    metrics.BACKLOG.show({(g, state): getattr(waits, state) for g, waits in groups.items() for state in STATES})
    metrics.OLDEST_UNENDED.show(_known({group: waits.oldest_seconds for group, waits in groups.items()}))
    metrics.TIME_TO_LOSS.show(_known({group: waits.time_to_loss_seconds for group, waits in groups.items()}))
    metrics.BROKER_MEMORY.show({(): load.memory_share} if load and load.memory_share is not None else {})


def _known(by_group: Mapping[str, float | None]) -> dict[tuple[str, ...], float]:
    return {(group,): value for group, value in by_group.items() if value is not None}


async def _or_none(read: Awaitable[T]) -> T | None:
    try:
        return await asyncio.wait_for(read, PATIENCE)
    except (TimeoutError, BrokerUnreachable, DatabaseUnreachable):
        return None
