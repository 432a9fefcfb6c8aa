"""How old an answer is: the projection's newest event, and how long the first one after it waits."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from api.context import ApiContext
from shared.errors import BrokerUnreachable
from shared.streams import PROJECTED
from shared.transport.base import START, Positions


async def staleness(context: ApiContext) -> dict[str, Any]:
    """`as_of`, and `projection_lag_seconds`: null while the broker does not say where the streams end."""
    positions, as_of = await context.projection.position()
    try:
        oldest = await context.transport.oldest_after(_of_events(positions))
    except BrokerUnreachable:
        lag = None
    else:
        lag = round(max(0.0, (datetime.now(UTC) - oldest).total_seconds()), 3) if oldest else 0.0
    return {"as_of": as_of, "projection_lag_seconds": lag}


async def is_behind(context: ApiContext) -> bool:
    """Whether a stream has something that is not projected yet."""
    positions, _ = await context.projection.position()
    return await context.transport.oldest_after(_of_events(positions)) is not None


def _of_events(positions: Mapping[int, Positions]) -> dict[int, Positions]:
    names = [stream.name for stream in PROJECTED]
    return {p: {name: of.get(name, START) for name in names} for p, of in (positions or {0: {}}).items()}
