"""The submitting client: `python -m bench.load PORT CONNECTIONS REQUESTS TITLES`, a process of its own.

All requests are made before the clock starts, and nothing of an answer is read but its status and length.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import cast

import uvloop

from bench.http_bytes import is_whole, request, status

WARM_UP = 0.1  # of the requests, before the clock starts


class Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is whole."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._done = done
        self._answer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not one by isinstance
        self._go_on()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not is_whole(self._answer):
            return
        if status(self._answer) != 202:
            self._end(RuntimeError(self._answer[:500].decode()))
            return
        self._answer.clear()
        self._go_on()

    def connection_lost(self, _: Exception | None) -> None:
        self._end(ConnectionError("the server hung up"))

    def _go_on(self) -> None:
        if (following := next(self._requests, None)) is None:
            self._end(None)
        else:
            self._transport.write(following)

    def _end(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error) if error else self._done.set_result(None)
        self._transport.close()


async def send(port: int, connections: int, requests: Sequence[bytes]) -> None:
    loop = asyncio.get_running_loop()
    waiting = iter(requests)
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    for done in ends:
        await loop.create_connection(lambda done=done: Connection(waiting, done), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)


def made(requests: int, titles: int) -> Iterator[bytes]:
    """Each with titles that were never sent before."""
    of = f"{titles} a request, sent at {time.time_ns()}"
    for n in range(requests):
        body = {"topics": [f"Accepted topic {n * titles + k} of {of}" for k in range(titles)]}
        yield request("POST", "/api/v1/topics", json.dumps(body).encode())


async def main(port: int, connections: int, requests: int, titles: int) -> None:
    warm_up = int(requests * WARM_UP)
    ready = list(made(warm_up + requests, titles))
    await send(port, connections, ready[:warm_up])
    began, cpu = time.perf_counter(), time.process_time()
    await send(port, connections, ready[warm_up:])
    took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps(took | {"titles_with_warm_up": titles * len(ready)}))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*map(int, sys.argv[1:])))
