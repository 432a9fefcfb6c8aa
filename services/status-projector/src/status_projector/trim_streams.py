"""Trims streams: old entries once a minute, and all processed entries while the broker is low on memory."""

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
LOW_MEMORY_EFFECT = (
    "entries that every reader has processed are removed regardless of age until memory recovers;"
    " a rebuild of the projection will not include them"
)
LOW_MEMORY_FROM = 0.6  # of the broker's memory limit; the API refuses work from 0.8 on


async def trim_forever(transport: Transport, projection: Projection, settings: ProjectorSettings) -> None:
    """Until cancelled. Never removes what a group has not settled or the projection has not stored."""
    keep = timedelta(days=settings.retain_days)
    was_low = False
    next_turn = time.monotonic() + EVERY
    while True:
        await asyncio.sleep(LOOK_EVERY)
        with suppress(BrokerUnreachable, DatabaseUnreachable):  # the projection loop logs it
            if (share := await transport.memory_share() or 0.0) > LOW_MEMORY_FROM:
                if not was_low:
                    log.warning("broker_memory_low", memory_share=round(share, 3), effect=LOW_MEMORY_EFFECT)
                was_low = True
                await _trim(transport, projection, timedelta(0), settings.retain_bytes)
            elif time.monotonic() >= next_turn:
                next_turn = time.monotonic() + EVERY
                for stream, removed in (await _trim(transport, projection, keep, settings.retain_bytes)).items():
                    log.info("stream_trimmed", stream=stream, entries=removed)


async def _trim(transport: Transport, projection: Projection, keep: timedelta, max_bytes: int) -> dict[str, int]:
    """Number of removed entries by stream."""
    positions = {ONLY_PARTITION: (await projection.stored(ONLY_PARTITION)).positions}
    removed = {stream.name: await transport.trim(stream, positions, keep, max_bytes) for stream in PROJECTED}
    for name, entries in removed.items():
        metrics.TRIMMED_ENTRIES.labels(name).inc(entries)
    return {name: entries for name, entries in removed.items() if entries}
