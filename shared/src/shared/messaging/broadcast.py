"""Broadcast streams (heartbeats, control): every reader reads all records and skips those that it cannot decode."""

from datetime import datetime

import structlog

from shared.errors import InvalidEvent, NewerVersion
from shared.events import Event, WorkerHeartbeat
from shared.messaging.broker import OnHeartbeat
from shared.messaging.cloudevents import Record, decode

log = structlog.get_logger()


def decode_or_skip(record: Record) -> Event | None:
    try:
        return decode(record).event
    except (InvalidEvent, NewerVersion) as error:
        log.warning("event_unreadable", stream=record.stream, error=str(error))
        return None


def dispatch_heartbeat(record: Record, stored_at: datetime, on_heartbeat: OnHeartbeat) -> None:
    """`stored_at`: time by the broker's clock."""
    event = decode_or_skip(record)
    if isinstance(event, WorkerHeartbeat):
        on_heartbeat(event, stored_at)
