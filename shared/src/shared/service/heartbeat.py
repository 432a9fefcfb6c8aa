"""Publishes a heartbeat of the process every two seconds: the source of `/worker-status`."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from shared import __version__
from shared.errors import BrokerUnreachable
from shared.events import WorkerHeartbeat
from shared.messaging.broker import Publisher
from shared.messaging.cloudevents import encode

log = structlog.get_logger()
EVERY = 2.0  # seconds


async def beat(
    publisher: Publisher, service: str, instance: str, now: Callable[[], dict[str, Any]] | None = None
) -> None:
    """Until cancelled. `now` returns the fields of WorkerHeartbeat that change."""
    started_at = datetime.now(UTC)
    while True:
        heartbeat = WorkerHeartbeat(
            service=service,
            instance=instance,
            app_version=__version__,
            started_at=started_at,
            **(now() if now else {}),
        )
        try:
            await publisher.publish([encode(heartbeat, source=instance)])
        except BrokerUnreachable as error:
            log.debug("heartbeat_not_published", error=str(error))
        await asyncio.sleep(EVERY)
