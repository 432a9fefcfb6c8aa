"""Follows the server's event stream: one connection, or one after another."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing

import httpx

from topicflow.client.api import ApiClient
from topicflow.client.events import Event, event_of
from topicflow.client.following.patience import Patience
from topicflow.client.following.server_sent_events import EventParser
from topicflow.errors import Failed, NoEventStream, SilentStream, Unreachable

PATH = "/events"
MAX_IDS = 100
SILENCE = 20.0  # seconds; the server sends something every 15
RETRY = 1.0  # seconds before the next connection, unless the server says otherwise
Query = Mapping[str, Sequence[str]]


class EventReader:
    """Each connection goes on after the last event of the one before; `on_answer` is called whenever bytes arrive."""

    def __init__(self, api: ApiClient, query: Query, on_answer: Callable[[], None], last_id: str | None = None) -> None:
        self.last_id = last_id
        self.retry = RETRY
        self.has_begun = False
        self._api = api
        self._query = query
        self._on_answer = on_answer

    async def connect(self) -> AsyncGenerator[Event, None]:
        """The events of one connection, until it ends.

        Raises NoEventStream if there is no such stream here or it ends before its first event, SilentStream if nothing
        arrives, Unreachable, NotAllowed and WrongUse as every call.
        """
        try:
            async with self._api.stream(PATH, self._query, self._headers, SILENCE) as response:
                if response.headers.get("Content-Type", "").partition(";")[0] != "text/event-stream":
                    raise NoEventStream(f"{self._api.url} answers with something other than an event stream")
                parser = EventParser()
                async for chunk in response.aiter_bytes():
                    self._on_answer()
                    for event in self._events(parser, chunk):
                        self.has_begun = True
                        yield event
        except httpx.ReadTimeout as error:
            raise SilentStream(f"the event stream of {self._api.url} is silent") from error
        except httpx.TransportError:
            pass  # cut off: as if it had ended
        except NoEventStream:
            raise
        except Failed as error:
            raise NoEventStream(str(error)) from error
        if not self.has_begun:
            raise NoEventStream(f"the event stream of {self._api.url} ends before its first event")
        self._on_answer()

    @property
    def _headers(self) -> Mapping[str, str]:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-store"}
        return headers | ({"Last-Event-ID": self.last_id} if self.last_id else {})

    def _events(self, parser: EventParser, chunk: bytes) -> Iterator[Event]:
        for received in parser.feed(chunk):
            self.last_id, self.retry = parser.last_id or self.last_id, parser.retry or self.retry
            try:
                event = event_of(received.name, received.data)
            except ValueError as error:
                raise NoEventStream(f"{self._api.url} sends an event that is not topicflow's: {error}") from error
            if event:
                yield event


async def events(
    api: ApiClient, query: Query, *, last_event_id: str | None, patience: float
) -> AsyncGenerator[Event, None]:
    """Never ends: connects again, after a pause that grows with the silence.

    Raises Unreachable after `patience` seconds without an answer, NoEventStream too once there was a stream; otherwise
    NoEventStream, NotAllowed and WrongUse at once.
    """
    tolerated = Patience(patience)
    stream = EventReader(api, query, tolerated.answered, last_event_id)
    while True:
        try:
            async with aclosing(stream.connect()) as connection:
                async for event in connection:
                    yield event
        except (Unreachable, NoEventStream) as error:
            if isinstance(error, NoEventStream) and not stream.has_begun:
                raise
            pause = tolerated.pause_after(error, stream.retry)
        else:
            pause = stream.retry
        await asyncio.sleep(pause)
