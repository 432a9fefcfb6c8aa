"""Records of streams that nobody settles: every reader reads all of them, and leaves out what it cannot read."""

from datetime import datetime

import structlog

from shared.errors import InvalidEvent, NewerVersion
from shared.events import Event, WorkerBeat
from shared.messaging.broker import Note
from shared.messaging.cloudevents import Record, decode

log = structlog.get_logger()


def readable(record: Record) -> Event | None:
    try:
        return decode(record).event
    except (InvalidEvent, NewerVersion) as error:
        log.warning("unreadable event", stream=record.stream, error=str(error))
        return None


def note_beat(record: Record, stored_at: datetime, note: Note) -> None:
    """`stored_at`: by the broker's clock."""
    beat = readable(record)
    if isinstance(beat, WorkerBeat):
        note(beat, stored_at)
