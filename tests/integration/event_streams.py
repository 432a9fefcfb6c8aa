"""Reads server-sent events as a client does, and what a listener knows by them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

Json = dict[str, Any]


@dataclass(frozen=True)
class ReadEvent:
    name: str
    data: Json
    id: str | None = None


def read_event(text: str) -> ReadEvent | None:
    """None for a comment."""
    fields = dict(line.split(": ", 1) for line in text.split("\n") if line and not line.startswith(":"))
    return ReadEvent(fields["event"], json.loads(fields["data"]), fields.get("id")) if fields else None


@dataclass
class Listener:
    """What a listener has been told. `ids`: of events; `known`: attempt and status by submission."""

    ids: list[str] = field(default_factory=list)
    known: dict[str, tuple[int, str]] = field(default_factory=dict)
    must_reread: bool = False

    @property
    def last_id(self) -> str | None:
        return self.ids[-1] if self.ids else None

    def take(self, event: ReadEvent) -> None:
        if event.id:
            assert event.id not in self.ids
            self.ids.append(event.id)
        self.must_reread |= event.name == "resync"
        for submission in event.data.get("submissions", ()):
            newest = (submission["attempt"], submission["status"])
            self.known[submission["id"]] = newest


@dataclass
class OpenStream:
    """An open response, read event by event."""

    response: httpx.Response
    _events: AsyncIterator[ReadEvent]

    async def next(self, name: str = "", within: float = 10) -> ReadEvent:
        """The next event, or the next with this name."""
        async with asyncio.timeout(within):
            async for event in self._events:
                if not name or event.name == name:
                    return event
        raise AssertionError("the stream has ended")

    async def until(self, status: str, *ids: str, within: float = 20) -> dict[str, Json]:
        """What was told of these submissions, once all have this status."""
        reported: dict[str, Json] = {}
        async with asyncio.timeout(within):
            while not all(reported.get(id_, {}).get("status") == status for id_ in ids):
                reported |= {one["id"]: one for one in (await self.next()).data["submissions"]}
        return reported

    async def rest(self, within: float = 10) -> list[ReadEvent]:
        """All events until the server ends the stream."""
        async with asyncio.timeout(within):
            return [event async for event in self._events]


@asynccontextmanager
async def open_stream(
    client: httpx.AsyncClient, *, last_event_id: str | None = None, query: Json | None = None
) -> AsyncIterator[OpenStream]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with client.stream("GET", "/api/v1/events", params=query, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        yield OpenStream(response, _events_of(response))


async def _events_of(response: httpx.Response) -> AsyncIterator[ReadEvent]:
    text = ""
    async for part in response.aiter_text():
        text += part
        *whole, text = text.split("\n\n")
        for one in whole:
            if event := read_event(one):
                yield event
