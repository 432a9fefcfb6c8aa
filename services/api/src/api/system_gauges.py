"""What /metrics says of the whole system: read anew for each scrape, a few rows whatever there is.

What does not answer is absent. A gauge that comes later is one more line in `shared/metrics.py` and one here.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from api.context import ApiContext
from api.staleness import staleness
from api.workers import TOPIC_WORKER
from shared import metrics
from shared.db.engine import DatabaseUnreachable
from shared.errors import BrokerUnreachable
from shared.status import STATUSES
from shared.streams import PROJECTOR

PATIENCE = 2.0  # seconds that a dependency has, of the ten that Prometheus waits
T = TypeVar("T")


async def read_system_gauges(context: ApiContext) -> None:
    counts, letters, age = await asyncio.gather(
        _or_none(context.projection.counts("topic")),
        _or_none(context.projection.dead_letters()),
        _or_none(staleness(context)),
    )
    known = {} if counts is None else {status: counts.get(status, 0) for status in STATUSES}
    metrics.SUBMISSIONS_NOW.show({("topic", status): number for status, number in known.items()})
    metrics.DEAD_LETTERS_NOW.show({(): letters} if letters is not None else {})
    lag = age and age["projection_lag_seconds"]
    metrics.PROJECTION_LAG.show({(): lag} if lag is not None else {})
    live: dict[tuple[str, ...], float] = {
        (service,): len(context.workers.live(service)) for service in ("api", PROJECTOR, TOPIC_WORKER)
    }
    metrics.LIVE_PROCESSES.show(live if context.workers.is_current else {})


async def _or_none(read: Awaitable[T]) -> T | None:
    try:
        return await asyncio.wait_for(read, PATIENCE)
    except (TimeoutError, BrokerUnreachable, DatabaseUnreachable):
        return None
