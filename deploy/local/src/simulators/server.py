"""The process of a simulator: listens, resets connections on demand, and does not wait for sleeping calls at exit."""

import argparse
import asyncio
import socket
import struct
import sys
from contextlib import suppress

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LOOPBACK = "127.0.0.1"
DISCONNECTED = (
    ClientDisconnect,
    asyncio.CancelledError,
)  # the client disconnected, or the server is stopping: only Server.shutdown cancels


class ConnectionReset(Response):
    """Resets the connection instead of answering."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["reset"]()
        while (await receive())["type"] != "http.disconnect":
            pass


async def wait(request: Request, seconds: float) -> None:
    """Waits for the duration of a call. Raises ClientDisconnect as soon as the client disconnects."""
    if seconds > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await request.receive())["type"] != "http.disconnect":
                    pass
                raise ClientDisconnect


async def live() -> dict[str, str]:
    return {"status": "live"}


async def invalid_request(_: Request, error: Exception) -> Response:
    """A 422 without the input, which may contain values that JSON cannot represent (NaN)."""
    details = error.errors() if isinstance(error, RequestValidationError) else []
    return JSONResponse({"detail": [{key: detail[key] for key in ("loc", "msg", "type")} for detail in details]}, 422)


class Connection(HttpToolsProtocol):
    """Gives each request a function that resets its connection, which ASGI lacks."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["reset"] = self._reset

    def _reset(self) -> None:
        if self.transport.is_closing():
            return
        no_linger = struct.pack("ii", 1, 0)  # closing with SO_LINGER 0 sends RST instead of FIN
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        self.transport.abort()


class SimulatorServer(uvicorn.Server):
    """Prints one line when it is ready, and does not wait for sleeping calls when it is stopped."""

    def __init__(self, config: uvicorn.Config, subject: str) -> None:
        super().__init__(config)
        self._subject = subject

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = sockets[0].getsockname()[:2] if sockets else (LOOPBACK, 0)
        sys.stderr.write(f"simulator for {self._subject} at http://{host}:{port} (simulated answers)\n")
        sys.stderr.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in list(self.server_state.tasks):
            task.cancel()
        await super().shutdown(sockets)


def add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 picks a free one")


def serve(app: FastAPI, subject: str, options: argparse.Namespace) -> None:
    """Runs until it is stopped. `subject`: what it simulates; `options`: includes those of `add_address`."""
    try:
        listener = socket.create_server((options.host, options.port), backlog=2048)
    except (OSError, OverflowError) as error:
        raise SystemExit(f"simulator for {subject}: {error}") from error
    config = uvicorn.Config(
        app,
        http=Connection,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        headers=[("x-topicflow-simulated", "true")],
        timeout_keep_alive=240,  # long, so that no connection closes just as a call reuses it
        timeout_graceful_shutdown=1,
    )
    with suppress(KeyboardInterrupt):
        SimulatorServer(config, subject).run(sockets=[listener])
