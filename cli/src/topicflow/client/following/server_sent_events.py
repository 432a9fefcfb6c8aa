"""Reads a stream of server-sent events from its bytes, as the HTML standard has it (9.2.6).

Lines end with CR, LF or CRLF only: the text in them may contain U+2028 and others that `str.splitlines` splits at.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r(?=.)", re.DOTALL)  # a CR at the end of a chunk may be the first half of a CRLF


class ServerSentEvent(NamedTuple):
    name: str
    data: str


class EventParser:
    """One for each connection. `last_id` and `retry` (seconds) are those of the last event it gave; None: none yet."""

    def __init__(self) -> None:
        self.last_id: str | None = None
        self.retry: float | None = None
        self._rest = b""  # a line that has not ended
        self._encoding = "utf-8-sig"  # of the next line: a byte order mark may precede the first
        self._name = ""
        self._data: list[str] = []
        self._id: str | None = None

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """The events that end within this chunk. To be read to its end."""
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        for line in lines:
            if line:
                self._read(line.decode(self._encoding, errors="replace"))
            elif event := self._ended():
                yield event
            self._encoding = "utf-8"

    def _read(self, line: str) -> None:
        field, _, value = line.partition(":")  # a comment has no field
        value = value.removeprefix(" ")
        match field:
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if re.fullmatch("[0-9]+", value):
                self.retry = int(value) / 1000

    def _ended(self) -> ServerSentEvent | None:
        event = ServerSentEvent(self._name or "message", "\n".join(self._data)) if self._data else None
        self.last_id = self._id
        self._name, self._data = "", []
        return event
