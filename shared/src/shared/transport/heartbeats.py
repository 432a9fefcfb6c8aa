"""A record of the heartbeats' stream, told to who wants to know who lives."""

from datetime import datetime

import structlog

from shared.errors import InvalidEvent, NewerVersion
from shared.events import WorkerBeat
from shared.transport.base import Note
from shared.wire import Record, decode

log = structlog.get_logger()


def note_beat(record: Record, stored_at: datetime, note: Note) -> None:
    """`stored_at`: by the broker's clock. What can not be read is left out."""
    try:
        beat = decode(record).event
    except (InvalidEvent, NewerVersion) as error:
        log.warning("unreadable heartbeat", error=str(error))
        return
    if isinstance(beat, WorkerBeat):
        note(beat, stored_at)
