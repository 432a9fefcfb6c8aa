"""Encodes and decodes events: CloudEvents 1.0 in binary mode, validated at the border of every service."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from pydantic import ValidationError

from shared.errors import InvalidEvent, NewerVersion
from shared.events import Event, event_id, subject
from shared.observability import tracing
from shared.streams import EVENT_TYPES, STREAM_OF

_TYPE = re.compile(r"topicflow\.([A-Za-z]+)\.v([1-9][0-9]{0,3})")


@dataclass(frozen=True, slots=True)
class Record:
    """What a broker stores: key, ASCII headers, JSON bytes."""

    stream: str
    key: str
    headers: Mapping[str, str]
    data: bytes

    @property
    def event_id(self) -> str:
        return self.headers.get("ce_id", "")


@dataclass(slots=True)  # not frozen: freezing takes as long as decoding
class Envelope:
    event: Event
    event_id: str
    time: datetime


def encode(event: Event, *, source: str, n: int = 0, time: datetime | None = None) -> Record:
    """`source`: the publishing instance; `n`: index of the event among those of its type in its run.

    `time`: when it happened, if it is published much later.
    """
    name = type(event).__name__
    now = datetime.now(UTC)
    key = subject(event)
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event_id(event, n, at=now),
        "ce_type": f"topicflow.{name}.v{event.version}",
        "ce_source": source,
        "ce_subject": key,
        "ce_time": (time or now).isoformat(),
        "content-type": "application/json",
    }
    if traceparent := tracing.traceparent():  # the distributed tracing extension of CloudEvents
        headers["traceparent"] = traceparent
    return Record(STREAM_OF[type(event)].name, key, headers, event.model_dump_json().encode())


def decode(record: Record) -> Envelope:
    """Raises InvalidEvent if the record can never be decoded, NewerVersion if a newer topicflow wrote it."""
    ce_type = record.headers.get("ce_type", "")
    kind = _kind_of(ce_type, record.stream)
    try:
        time = datetime.fromisoformat(record.headers["ce_time"])
        event = kind.model_validate_json(record.data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "data"
        raise InvalidEvent(f"{ce_type}: {field}: {first['msg']}") from error
    except (KeyError, ValueError) as error:
        raise InvalidEvent(f"{ce_type}: ce_time: {error}") from error
    if time.tzinfo is None or not record.event_id:
        raise InvalidEvent(f"{ce_type}: ce_time needs a time zone and ce_id must not be empty")
    return Envelope(event, record.event_id, time)


@lru_cache(100)
def _kind_of(ce_type: str, stream: str) -> type[Event]:
    """The event class for a `ce_type` in this stream. Raises InvalidEvent, NewerVersion."""
    match = _TYPE.fullmatch(ce_type)
    if match is None or match[1] not in EVENT_TYPES:
        raise InvalidEvent(f"unknown event type {ce_type[:100]!r}")
    kind = EVENT_TYPES[match[1]]
    if stream != STREAM_OF[kind].name:
        raise InvalidEvent(f"{ce_type} does not belong in {stream}")
    if int(match[2]) > kind.version:
        raise NewerVersion(
            f"{stream} holds {ce_type}, this version of topicflow knows v{kind.version}: finish the upgrade"
        )
    return kind
