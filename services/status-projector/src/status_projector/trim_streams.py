"""Keeps streams from filling the broker: what is old once a minute, and all that is done with while memory is short."""

import asyncio
import time
from contextlib import suppress
from datetime import timedelta

import structlog

from shared.db.engine import DatabaseUnreachable
from shared.errors import BrokerUnreachable
from shared.messaging.broker import ONLY_PARTITION, Transport
from shared.observability import metrics
from shared.streams import PROJECTED
from status_projector.projection import Projection
from status_projector.settings import ProjectorSettings

log = structlog.get_logger()
EVERY = 60.0
LOOK_EVERY = 1.0
SHORT = (  # said once
    "the broker's memory is short: from now on all that is done with is removed while it is, whatever its age;"
    " a rebuild of the projection will not cover it"
)
SHORT_FROM = 0.6  # of the broker's memory limit; the API refuses work from 0.8 on


async def trim_for_ever(transport: Transport, projection: Projection, settings: ProjectorSettings) -> None:
    """Until cancelled. What a group has not ended or the projection not stored is never removed."""
    keep = timedelta(days=settings.retain_days)
    was_short = False
    next_turn = time.monotonic() + EVERY
    while True:
        await asyncio.sleep(LOOK_EVERY)
        with suppress(BrokerUnreachable, DatabaseUnreachable):  # whoever projects says so
            if (share := await transport.memory_share() or 0.0) > SHORT_FROM:
                if not was_short:
                    log.warning(SHORT, memory_share=round(share, 3))
                was_short = True
                await _trim(transport, projection, timedelta(0), settings.retain_bytes)
            elif time.monotonic() >= next_turn:
                next_turn = time.monotonic() + EVERY
                for stream, removed in (await _trim(transport, projection, keep, settings.retain_bytes)).items():
                    log.info("trimmed", stream=stream, entries=removed)


async def _trim(transport: Transport, projection: Projection, keep: timedelta, max_bytes: int) -> dict[str, int]:
    """How many entries were removed, by stream."""
    positions = {ONLY_PARTITION: (await projection.stored(ONLY_PARTITION)).positions}
    removed = {stream.name: await transport.trim(stream, positions, keep, max_bytes) for stream in PROJECTED}
    for name, entries in removed.items():
        metrics.TRIMMED_ENTRIES.labels(name).inc(entries)
    return {name: entries for name, entries in removed.items() if entries}
