"""How old an answer is: the projection's newest event, and how long the first one after it waits.

Ask this before what the answer shows is read: then that can only be newer than is said.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from api.context import ApiContext
from shared.errors import BrokerUnreachable
from shared.streams import PROJECTED
from shared.transport.base import START, Positions

PATIENCE = 0.5  # seconds that the broker has to say what comes next


async def staleness(context: ApiContext) -> dict[str, Any]:
    """`as_of`, and `projection_lag_seconds`: 0 when all is projected, null while the broker does not say."""
    positions, as_of = await context.projection.position()
    try:
        oldest = await _oldest_after(context, positions)
    except BrokerUnreachable:
        lag = None
    else:  # clocks differ, but what is behind never looks as if it were not
        lag = round(max(0.001, (datetime.now(UTC) - oldest).total_seconds()), 3) if oldest else 0.0
    return {"as_of": as_of, "projection_lag_seconds": lag}


async def is_behind(context: ApiContext) -> bool:
    """Whether a stream has something that is not projected yet. Raises BrokerUnreachable."""
    positions, _ = await context.projection.position()
    return await _oldest_after(context, positions) is not None


async def _oldest_after(context: ApiContext, positions: Mapping[int, Positions]) -> datetime | None:
    try:
        return await asyncio.wait_for(context.transport.oldest_after(_of_events(positions)), PATIENCE)
    except TimeoutError as error:
        raise BrokerUnreachable(f"the broker does not answer within {PATIENCE} s") from error


def _of_events(positions: Mapping[int, Positions]) -> dict[int, Positions]:
    names = [stream.name for stream in PROJECTED]
    return {p: {name: of.get(name, START) for name in names} for p, of in (positions or {0: {}}).items()}
