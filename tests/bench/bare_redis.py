"""Hand-written publishing to Valkey: one connection for all requests, packed and parsed in C."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import cast
from urllib.parse import urlsplit

import hiredis


class BareRedis(asyncio.Protocol):
    """Answers come in the order of what was sent, so each caller waits for as many as it sent."""

    def __init__(self) -> None:
        self._answers = hiredis.Reader()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._missing = 0  # of the first one's answers

    @classmethod
    async def connect(cls, url: str) -> "BareRedis":
        where = urlsplit(url)
        assert where.hostname
        assert where.port
        _, broker = await asyncio.get_running_loop().create_connection(cls, where.hostname, where.port)
        return broker

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def store(self, stream: str, events: Sequence[tuple[str, Mapping[str, str], str]]) -> None:
        """Returns when all are stored."""
        await self._send([("XADD", stream, "*", *chain(*headers.items()), "data", data) for _, headers, data in events])

    async def _send(self, commands: Sequence[tuple[str, ...]]) -> None:
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((len(commands), answered))
        self._missing = self._missing or len(commands)
        packed = map(hiredis.pack_command, commands)  # type: ignore[arg-type]  # its stub means tuples of one
        self._transport.write(b"".join(packed))
        await answered

    def data_received(self, data: bytes) -> None:
        self._answers.feed(data)
        while (answer := self._answers.gets()) is not False:
            if isinstance(answer, hiredis.ReplyError):
                raise answer
            self._missing -= 1
            if not self._missing:
                self._waiting.popleft()[1].set_result(None)
                self._missing = self._waiting[0][0] if self._waiting else 0
