"""Services of a test's, on a broker and a database, beside Gemini's stand-in."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from servers.gemini import GeminiStandIn
from servers.ports import LOOPBACK, free_port
from servers.process import Process
from servers.stack import Stack
from shared.streams import PROJECTOR

MODULES = {"api": "api", "topic-worker": "topic_worker", PROJECTOR: "status_projector"}


@dataclass
class Deployment:
    """Gemini's stand-in and services, each started alone, by environment only. `folder`: of what they say."""

    folder: Path
    stack: Stack
    gemini: GeminiStandIn
    settings: dict[str, str] = field(default_factory=dict)
    services: dict[str, Process] = field(default_factory=dict)
    api_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.api_port}"

    @property
    def database_url(self) -> str:
        return self.stack.database_url

    def add(self, service: str, instance: str = "", **settings: str) -> Process:
        """One more replica, running. `instance`: its stable name, none if empty."""
        environment = {**self.stack.settings, **self.settings, **settings}
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
        for process in (*self.services.values(), self.gemini):
            process.end()
