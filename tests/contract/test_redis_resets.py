"""A Redis that resets every new connection, as a dying one does, counts as unreachable."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from threading import Thread

import pytest
import uvloop
from servers import LOOPBACK

from shared.errors import BrokerUnreachable
from shared.messaging.redis_streams.transport import RedisTransport

RESET = struct.pack("ii", 1, 0)  # closing with SO_LINGER 0 sends RST where FIN would be


@pytest.fixture
def resetting_url() -> Iterator[str]:
    server = socket.create_server((LOOPBACK, 0))
    thread = Thread(target=_reset_all, args=(server,))
    thread.start()
    yield f"redis://{LOOPBACK}:{server.getsockname()[1]}/0"
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()


def _reset_all(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()


async def _reach_many_times(url: str) -> None:
    """Resets at once, so that a busy loop often gets the reset between connecting and writing."""
    transport = RedisTransport(url)
    for _ in range(10):
        tries = await asyncio.gather(*(transport.lag("topic-worker") for _ in range(50)), return_exceptions=True)
        assert [type(error) for error in tries] == [BrokerUnreachable] * 50
    await transport.close()


def test_a_broker_that_resets_new_connections_is_unreachable(resetting_url: str) -> None:
    """On the services' own loop: uvloop raises RuntimeError where a transport is closed, asyncio raises nothing."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_reach_many_times(resetting_url))
