"""`worker-control` in Redis: a hash with the last value of each key, which every worker polls."""

import asyncio
from collections.abc import Callable

import structlog
from redis.asyncio import Redis

from shared.errors import BrokerUnreachable
from shared.events import Event
from shared.messaging.broadcast import decode_or_skip
from shared.messaging.redis_streams.entries import reaching, record_of
from shared.streams import WORKER_CONTROL

log = structlog.get_logger()
LOOK_EVERY = 1.0  # seconds


async def follow_control(client: Redis, note: Callable[[Event], None], caught_up: Callable[[], None]) -> None:
    known: dict[bytes, bytes] = {}
    while True:
        try:
            with reaching():
                found: dict[bytes, bytes] = await client.hgetall(WORKER_CONTROL.name)  # type: ignore[assignment]
        except BrokerUnreachable as error:
            log.debug("control_unreachable", error=str(error))
        else:
            for key in [key for key in found if found[key] != known.get(key)]:
                if event := decode_or_skip(record_of(WORKER_CONTROL.name, key, found[key])):
                    note(event)
            known = found
            caught_up()
        await asyncio.sleep(LOOK_EVERY)
