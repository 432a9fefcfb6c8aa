"""The process around the stand-in: resets connections when told to, and does not wait for sleeping calls at its end."""

import socket
import struct
import sys

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LOOPBACK = "127.0.0.1"


class Connection(HttpToolsProtocol):
    """Tells each request how to reset its connection: ASGI has no word for it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["reset"] = self._reset

    def _reset(self) -> None:
        if self.transport.is_closing():
            return
        to_reset = struct.pack("ii", 1, 0)  # closing with SO_LINGER 0 sends RST where FIN would be
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, to_reset)
        self.transport.abort()


class Server(uvicorn.Server):
    """Says once when it is ready, and does not wait for sleeping calls when it is told to stop."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = sockets[0].getsockname()[:2] if sockets else (LOOPBACK, 0)
        sys.stderr.write(f"stand-in for Gemini at http://{host}:{port} (simulated answers)\n")
        sys.stderr.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in list(self.server_state.tasks):
            task.cancel()
        await super().shutdown(sockets)
