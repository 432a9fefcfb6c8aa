"""A Gemini whose faults are chosen by titles. It quotes the API key in errors, as the real one does in some."""

import json
import re
import socket
import struct
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from servers.ports import LOOPBACK

HANGS = 3.0  # seconds


class LeakyGemini:
    """The first title with `answers 503` gets this answer, once; likewise `answers nonsense`, `hangs`, `resets` and
    `invalid key`. All other requests get an answer that contains no card."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fault(self, text: str) -> str:
        """The fault of this text when it is seen for the first time; "" later."""
        found = re.search(r"answers (?:\d{3}|nonsense)|hangs|resets|invalid key", text)
        fault = found[0] if found else ""
        self.seen[fault] += 1
        return fault if self.seen[fault] == 1 else ""


def _problem(code: int, key: str, reason: str = "") -> dict[str, Any]:
    """With the key in the message and in the details."""
    details = [{"reason": reason, "metadata": {"consumer": f"api_key:{key}"}}]
    message = f"Permission denied: Consumer 'api_key:{key}' has been suspended."
    return {"error": {"code": code, "message": message, "status": "FAILED", "details": details}}


ANSWER = {"candidates": [{"content": {"parts": [{"text": "[]"}]}, "finishReason": "STOP"}], "modelVersion": "m"}


def _handler(gemini: LeakyGemini) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(200, {"name": "models/m", "version": "simulated"})

        def do_POST(self) -> None:
            key = self.headers["x-goog-api-key"]
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fault = gemini.fault(json.dumps(request["contents"]))
            if fault == "invalid key":
                self._send(400, _problem(400, key, "API_KEY_INVALID"))
            elif fault == "resets":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
            elif fault == "answers nonsense":
                self._send(200, {"candidates": f"for {key}"})
            elif fault.startswith("answers"):
                code = int(fault[-3:])
                self._send(code, _problem(code, key))
            else:
                time.sleep(HANGS if fault == "hangs" else 0)
                self._send(200, ANSWER)

        def _send(self, code: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(BrokenPipeError):  # the client has not waited so long
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None: ...

    return Handler
