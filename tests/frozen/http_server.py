"""A server on loopback in place of what the product calls: the API for the command, the catalogue for the enricher."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Answer = Callable[[str, str, Any], tuple[int, Any]]  # method, path and JSON body → status and JSON body


class _Server(ThreadingHTTPServer):
    answer: Answer


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _handle(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        status, body = self.server.answer(self.command, self.path, json.loads(self.rfile.read(size)) if size else None)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = _handle

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Its URL."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.answer = answer
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
