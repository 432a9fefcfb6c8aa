"""Many listeners of GET /events at little cost: a process of its own, so that what it costs can be told apart.

`python -m integration.listeners DATABASE_URL TITLES FOR_IDS FOR_ALL CUT_EVERY PORT…` opens the streams and prints a
line. At the end of its input it waits until each stream has told the newest state of all that it was asked for, and
prints what it has seen as JSON. `TITLES`: a number of topics, "Topic number 0" and so on; `FOR_IDS`, `FOR_ALL`: how
many streams listen for some of them, and for all; `CUT_EVERY`: seconds after which a stream is cut off on average and
goes on at any of the ports; 0: never.
"""

import asyncio
import json
import random
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import uvloop
from eventually import eventually
from integration.databases import rows
from integration.event_streams import Listener, read_event

from api.projection.change_cursor import ChangeCursor
from shared.ids import topic_id

NEWEST = "SELECT id, attempt, status, changed_in, changed FROM submissions"
LARGEST_EVENT = 2**20  # bytes
CONVERGES_WITHIN = 15.0  # seconds
Rows = Mapping[str, tuple[int, str, int, int]]


@dataclass
class Summary:
    """`asked_for`: submissions by stream; `behind`: those whose newest state was not told within CONVERGES_WITHIN."""

    streams: int = 0
    events: int = 0
    resyncs: int = 0
    cuts: int = 0
    asked_for: int = 0
    behind: int = 0


class RawListener:
    """`ids`: none listens for everything. An event id that comes twice raises."""

    def __init__(self, ports: Sequence[int], ids: Collection[str], cut_every: float, seed: int) -> None:
        self._ports = ports
        self._query = urlencode([("id", id_) for id_ in ids] or [("kind", "topic")])
        self._ids = set(ids)
        self._cut_every = cut_every
        self._chance = random.Random(seed)
        self._listener = Listener()
        self._resynced: str | None = None  # the newest id of a resync
        self.has_begun = asyncio.Event()
        self.events = self.resyncs = self.cuts = 0

    async def run(self) -> None:
        while True:
            seconds = self._chance.expovariate(1 / self._cut_every) if self._cut_every else None
            with suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError):
                async with asyncio.timeout(seconds):
                    await self._listen(self._chance.choice(self._ports))
            self.cuts += 1
            await asyncio.sleep(0.05)

    async def _listen(self, port: int) -> None:
        """Each event is one chunk, as the server writes them."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LARGEST_EVENT)
        try:
            last = f"Last-Event-ID: {self._listener.last_id}\r\n" if self._listener.last_id else ""
            writer.write(f"GET /api/v1/events?{self._query} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.splitlines()[0]:
                raise ConnectionError(head.decode())
            while size := int(await reader.readuntil(b"\r\n"), 16):
                self._take((await reader.readexactly(size + 2))[:size].decode())
        finally:
            writer.close()

    def _take(self, text: str) -> None:
        if event := read_event(text):
            self.events += 1
            if event.name == "resync":
                self.resyncs += 1
                self._resynced = event.id
            self._listener.take(event)
            self.has_begun.set()

    def asked_for(self, stored: Rows) -> list[str]:
        return [id_ for id_ in stored if not self._ids or id_ in self._ids]

    def behind(self, stored: Rows) -> list[str]:
        """Submissions whose newest state this was not told; after a resync it has read the others from the list."""
        read = ChangeCursor.parse(self._resynced) if self._resynced else None
        return [
            id_
            for id_ in self.asked_for(stored)
            if self._listener.known.get(id_) != stored[id_][:2] and not (read and read.covers(*stored[id_][2:]))
        ]


async def main(database_url: str, titles: int, for_ids: int, for_all: int, cut_every: float, *ports: int) -> None:
    ids = [topic_id(f"Topic number {n}") for n in range(titles)]
    listeners = [RawListener(ports, ids[n::for_ids][:100], cut_every, n) for n in range(for_ids)]
    listeners += [RawListener(ports, (), cut_every, for_ids + n) for n in range(for_all)]
    running = [asyncio.create_task(one.run()) for one in listeners]
    failing = asyncio.gather(*running)
    await _unless(failing, asyncio.gather(*(one.has_begun.wait() for one in listeners)))
    print("listening", flush=True)
    await _unless(failing, asyncio.ensure_future(_end_of_input()))
    stored: Rows = {row[0]: row[1:] for row in rows(database_url, NEWEST)}

    async def have_converged() -> bool:
        return not any(one.behind(stored) for one in listeners)

    with suppress(AssertionError):
        await eventually(have_converged, within=CONVERGES_WITHIN)
    summary = Summary(len(listeners), behind=sum(len(one.behind(stored)) for one in listeners))
    for one in listeners:
        summary.asked_for += len(one.asked_for(stored))
        summary.events, summary.resyncs = summary.events + one.events, summary.resyncs + one.resyncs
        summary.cuts += one.cuts
    print(json.dumps(asdict(summary)), flush=True)
    failing.cancel()
    await asyncio.gather(failing, return_exceptions=True)


async def _end_of_input() -> None:
    """Not in a thread, which would keep a failed process alive."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def _unless(failing: asyncio.Future[Any], waited_for: asyncio.Future[Any]) -> None:
    """Waits for one of them; raises what failed."""
    await asyncio.wait([failing, waited_for], return_when=asyncio.FIRST_COMPLETED)
    if failing.done():
        failing.result()


if __name__ == "__main__":
    url, titles, for_ids, for_all, cut_every, *ports = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(url, int(titles), int(for_ids), int(for_all), float(cut_every), *map(int, ports)))
