"""The age of a response: the projection's newest event, and how long the first event after it has waited.

Read it before the data: then the data can only be newer than reported.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from shared.errors import BrokerUnreachable
from shared.messaging.broker import START, Positions, StreamInspector
from shared.streams import PROJECTED

T = TypeVar("T")
ReadPosition = Callable[[], Awaitable[tuple[Mapping[int, Positions], datetime | None]]]
BROKER_TIMEOUT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 1.0  # for the projection
POLL_SECONDS = 0.02
EVENTS = [stream.name for stream in PROJECTED]


async def freshness(position: ReadPosition, inspector: StreamInspector) -> dict[str, Any]:
    """`as_of`, and `projection_lag_seconds`: 0 when all is projected, null while the broker does not respond."""
    positions, as_of = await position()
    try:
        oldest = await _in_time(inspector.oldest_after(_of_events(positions)))
    except BrokerUnreachable:
        lag = None
    else:  # at least 1 ms despite clock skew: a lag is never reported as 0
        lag = round(max(0.001, (datetime.now(UTC) - oldest).total_seconds()), 3) if oldest else 0.0
    return {"as_of": as_of, "projection_lag_seconds": lag}


async def wait_until_current(position: ReadPosition, inspector: StreamInspector) -> None:
    """Waits until everything in the streams at the time of the call is projected.

    Gives up after LONGEST_WAIT_SECONDS, or if the broker does not respond.
    """
    give_up = time.monotonic() + LONGEST_WAIT_SECONDS
    with suppress(BrokerUnreachable):
        ends = await _in_time(inspector.end_positions(EVENTS))
        while not inspector.has_reached((await position())[0], ends):
            if time.monotonic() > give_up:
                return
            await asyncio.sleep(POLL_SECONDS)


async def _in_time(answer: Awaitable[T]) -> T:
    """Raises BrokerUnreachable."""
    try:
        return await asyncio.wait_for(answer, BROKER_TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise BrokerUnreachable(f"the broker did not answer within {BROKER_TIMEOUT_SECONDS} s") from error


def _of_events(positions: Mapping[int, Positions]) -> dict[int, Positions]:
    return {p: {name: of.get(name, START) for name in EVENTS} for p, of in (positions or {0: {}}).items()}
