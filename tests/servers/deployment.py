"""The services of a test, on a broker and a database, with simulators of Gemini and the catalogue."""

import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import httpx

from servers.catalog import CatalogSimulator
from servers.gemini import GeminiSimulator
from servers.ports import LOOPBACK, free_port
from servers.process import Process
from servers.stack import Stack
from shared.streams import ENRICHER, PROJECTOR

MODULES = {"api": "api", "topic-worker": "topic_worker", PROJECTOR: "status_projector"}  # ENRICHER only where added


@dataclass
class Deployment:
    """Gemini's simulator and services, each started alone, by environment only. `folder`: of their logs."""

    folder: Path
    stack: Stack
    gemini: GeminiSimulator
    settings: dict[str, str] = field(default_factory=dict)
    services: dict[str, Process] = field(default_factory=dict)
    api_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.api_port}"

    @property
    def database_url(self) -> str:
        return self.stack.database_url

    @cached_property
    def catalog(self) -> CatalogSimulator:
        """Its simulator; starts on first access, and keeps its data when killed."""
        simulator = CatalogSimulator(self.folder, file=self.folder / "catalog.db")
        simulator.start()
        return simulator

    def add(self, service: str, instance: str = "", **settings: str) -> Process:
        """One more replica, running. `instance`: its stable name, none if empty."""
        environment = {**self.stack.settings, **self.settings, **self._settings_of(service), **settings}
        if instance:
            environment["TOPICFLOW_INSTANCE"] = instance
        name = instance or f"{service}-{len(self.services)}"
        module = MODULES.get(service, service)
        process = Process([sys.executable, "-m", module], self.folder / f"{name}.log", environment)
        process.start()
        self.services[name] = process
        return process

    def _settings_of(self, service: str) -> dict[str, str]:
        """The settings of this kind of service only."""
        if service in ("api", PROJECTOR):
            return {"TOPICFLOW_DATABASE_URL": self.database_url, "TOPICFLOW_PORT": str(self.api_port)}
        gemini = {"GEMINI_API_KEY": "test", "GOOGLE_GEMINI_BASE_URL": self.gemini.url}
        if service != ENRICHER:
            return gemini
        return gemini | {
            "ENABLE_BACKGROUND_WORKER": "true",
            "DATA_API_URL": self.catalog.url,
            "KEYCLOAK_CLIENT_ID": "topicflow",
            "KEYCLOAK_CLIENT_SECRET": "test",
            "TOPICFLOW_URL": self.url,
        }

    def client(self, port: int | None = None) -> httpx.AsyncClient:
        """Of the API, or of its replica on another port."""
        return httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port or self.api_port}", trust_env=False, timeout=30)

    def end(self) -> None:
        simulators = [self.gemini, *([self.catalog] if "catalog" in vars(self) else [])]
        for process in (*self.services.values(), *simulators):
            process.end()
