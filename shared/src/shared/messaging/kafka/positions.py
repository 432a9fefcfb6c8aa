"""A position in a partition: the next offset, and the id of the event before it, to detect a recreated stream."""

from dataclasses import dataclass
from typing import Self

from aiokafka import ConsumerRecord

from shared.messaging.broker import START


@dataclass(frozen=True, slots=True)
class Position:
    """As text: `<offset>` or `<offset> <event id>`; the beginning is the empty string."""

    offset: int = 0
    last_event: str = ""

    @classmethod
    def of(cls, text: str) -> Self:
        offset, _, last_event = text.partition(" ")
        return cls(int(offset or 0), last_event)

    @classmethod
    def after(cls, record: ConsumerRecord) -> Self:
        return cls(record.offset + 1, _event_id(record))

    def is_after_another(self, record: ConsumerRecord) -> bool:
        """Whether `record`, at the offset before this position, is a different event than was read there."""
        return bool(self.last_event) and record.offset == self.offset - 1 and _event_id(record) != self.last_event

    def __str__(self) -> str:
        return f"{self.offset} {self.last_event}".rstrip() if self.offset else START


def _event_id(record: ConsumerRecord) -> str:
    """The event id; empty if the header does not look like one, as in foreign records."""
    event_id = dict(record.headers).get("ce_id", b"")
    return event_id.decode("ascii", "replace") if len(event_id) <= 100 and b" " not in event_id else ""
