"""A service in a container: it stops as process 1, and its health check needs no curl."""

import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from eventually import eventually
from servers import LOOPBACK, Process, free_port

from shared.service.healthcheck import why_not

ALONE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]
NOBODY = "kafka://127.0.0.1:1"


@pytest.fixture
def alone() -> list[str]:
    """The command that starts a program as process 1 of its own namespace."""
    if subprocess.run([*ALONE, "true"], capture_output=True).returncode:
        pytest.skip("no namespace of its own for a test's process here")
    return ALONE


@pytest.mark.parametrize("module", ["api", "topic_worker", "status_projector"])
async def test_sigterm_ends_process_one_while_it_waits_for_the_broker(
    module: str, alone: list[str], tmp_path: Path
) -> None:
    """The kernel has no default action for signals of process 1."""
    settings = {
        "TOPICFLOW_BROKER_URL": NOBODY,
        "TOPICFLOW_DATABASE_URL": f"sqlite:///{tmp_path}/t.db",
        "TOPICFLOW_PORT": str(free_port()),
        "TOPICFLOW_OPS_PORT": str(free_port()),
        "GEMINI_API_KEY": "key",
    }
    outside = Process([*alone, sys.executable, "-m", module], tmp_path / "log", settings)
    outside.start()
    try:
        await eventually(lambda: '"dependency": "broker"' in outside.output, within=30)
        assert outside.running
        (process_one,) = psutil.Process(outside.running.pid).children()
        process_one.terminate()
        assert outside.running.wait(10) == 0
    finally:
        outside.end()


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ready" else 503)
        self.end_headers()
        self.wfile.write(b"no broker")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer((LOOPBACK, 0), Answers) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_address[1]
        server.shutdown()


def probe(port: int, path: str) -> subprocess.CompletedProcess[str]:
    proxy = {"http_proxy": f"http://{LOOPBACK}:1"}  # a container may have one, but the probe must not use it
    command = [sys.executable, "-m", "shared.service.healthcheck", str(port), path]
    return subprocess.run(command, capture_output=True, text=True, env=proxy)


def test_a_probe_reports_why_a_service_is_unhealthy(port: int) -> None:
    assert (well := probe(port, "/ready")).returncode == 0, well.stderr
    ill = probe(port, "/other")
    assert (ill.returncode, ill.stderr) == (1, "no broker\n")


def test_a_probe_without_an_answer_reports_that() -> None:
    assert re.match("no answer: .*refused", why_not(free_port(), "/ready") or "")
