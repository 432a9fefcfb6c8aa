"""Services of a test's, around a broker, a database and Gemini's stand-in."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from servers.gemini import GeminiStandIn
from servers.process import Process
from servers.valkey import ValkeyServer
from shared.streams import PROJECTOR
from topicflow.local_mode.ports import LOOPBACK, free_port

MODULES = {"api": "api", "topic-worker": "topic_worker", PROJECTOR: "status_projector"}


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
