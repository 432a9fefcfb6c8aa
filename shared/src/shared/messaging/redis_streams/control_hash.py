"""`worker-control` in Redis: a hash with the last value of each key, which every worker polls."""

import asyncio
from collections.abc import Callable

import structlog
from redis.asyncio import Redis

from shared.errors import BrokerUnreachable
from shared.events import Event
from shared.messaging.broadcast import decode_or_skip
from shared.messaging.redis_streams.entries import record_of, translated_errors
from shared.streams import WORKER_CONTROL

log = structlog.get_logger()
POLL_INTERVAL = 1.0  # seconds


async def follow_control(client: Redis, on_event: Callable[[Event], None], on_caught_up: Callable[[], None]) -> None:
    known_values: dict[bytes, bytes] = {}
    while True:
        try:
            with translated_errors():
                values: dict[bytes, bytes] = await client.hgetall(WORKER_CONTROL.name)  # type: ignore[assignment]
        except BrokerUnreachable as error:
            log.debug("control_unreachable", error=str(error))
        else:
            for key in [key for key in values if values[key] != known_values.get(key)]:
                if event := decode_or_skip(record_of(WORKER_CONTROL.name, key, values[key])):
                    on_event(event)
            known_values = values
            on_caught_up()
        await asyncio.sleep(POLL_INTERVAL)
