"""Programs and environments of local mode. Settings are passed by environment only; secrets only where needed."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_processes.child import Program
from local_processes.ports import LOOPBACK
from topicflow.local_mode.external_services import is_broker_setting, is_database_setting

GEMINI_KEYS = ("GEMINI_API_KEY", "GOOGLE_AI_API_KEY", "GEMINI_API_KEYS")
GEMINI_SECRETS = frozenset(GEMINI_KEYS) | {f"{name}_FILE" for name in GEMINI_KEYS}
CATALOG_SECRETS = frozenset({"KEYCLOAK_CLIENT_SECRET", "KEYCLOAK_CLIENT_SECRET_FILE"})
SECRETS = GEMINI_SECRETS | CATALOG_SECRETS
ENRICHES = "ENABLE_BACKGROUND_WORKER"
PER_PROCESS = frozenset({"TOPICFLOW_OPS_PORT"})  # not passed on: all services would use the same port

WORKER_STOP_SECONDS = "10"  # for calls under way; less than the grace period of a child


def gemini_is_configured(environment: Mapping[str, str]) -> bool:
    """An empty value means not set."""
    return any(environment.get(name) for name in (*GEMINI_SECRETS, "GOOGLE_GEMINI_BASE_URL"))


def enriches(environment: Mapping[str, str]) -> bool:
    """Default: on, unless it would pay Gemini for the articles of a simulated catalogue."""
    if value := environment.get(ENRICHES):
        return value.lower() in {"1", "true", "yes", "on", "t", "y"}
    return bool(environment.get("DATA_API_URL")) or not gemini_is_configured(environment)


@dataclass(frozen=True, slots=True)
class LocalMode:
    """The services and their settings."""

    environment: Mapping[str, str]  # the user's
    broker: Mapping[str, str]  # settings
    database: Mapping[str, str]
    port: int
    simulator_port: int | None  # None: the real Gemini
    catalog_port: int | None = None  # of the catalogue simulator; None: a real catalogue, or no articles
    enriches: bool = False
    instance_prefix: str = ""  # of instance names; needed only if others use the same broker

    def without_secrets(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.environment.items()
            if name not in SECRETS | PER_PROCESS and not is_broker_setting(name) and not is_database_setting(name)
        }

    def simulator(self) -> Program:
        arguments = (sys.executable, "-m", "simulators.gemini", "--port", str(self.simulator_port))
        return Program("gemini-simulator", arguments, self.without_secrets())

    def catalog_simulator(self, file: Path) -> Program:
        """`file`: SQLite file for what is written."""
        arguments = ("--port", str(self.catalog_port), "--file", str(file))
        program = (sys.executable, "-m", "simulators.catalog", *arguments)
        return Program("catalog-simulator", program, self.without_secrets())

    def status_projector(self) -> Program:
        return self._service("status-projector", "status-projector-1", self.database)

    def api(self) -> Program:
        return self._service("api", "api-1", {**self.database, ENRICHES: str(self.enriches).lower()})

    def topic_worker(self, number: int = 1) -> Program:
        return self._service("topic-worker", f"topic-worker-{number}", self._worker_settings())

    def enricher(self) -> Program:
        catalog = {name: value for name, value in self.environment.items() if name in CATALOG_SECRETS}
        if self.catalog_port is not None:
            catalog = {
                "DATA_API_URL": f"http://{LOOPBACK}:{self.catalog_port}",
                "KEYCLOAK_CLIENT_ID": "simulator",
                "KEYCLOAK_CLIENT_SECRET": "simulator",
            }
        api = {ENRICHES: "true", "TOPICFLOW_URL": f"http://{LOOPBACK}:{self.port}"} | _without_proxy(self.environment)
        return self._service("enricher", "enricher-1", self._worker_settings() | catalog | api)

    def _worker_settings(self) -> dict[str, str]:
        stop = {"TOPICFLOW_STOP_SECONDS": self.environment.get("TOPICFLOW_STOP_SECONDS") or WORKER_STOP_SECONDS}
        if self.simulator_port is None:
            return stop | {key: value for key, value in self.environment.items() if key in GEMINI_SECRETS}
        simulator = {
            "GOOGLE_GEMINI_BASE_URL": f"http://{LOOPBACK}:{self.simulator_port}",
            "GEMINI_API_KEY": "simulator",
        }
        return stop | simulator | _without_proxy(self.environment)

    def _service(self, name: str, instance: str, settings: Mapping[str, str]) -> Program:
        """Named after the instance, or after the service if there is only one."""
        environment = {
            **self.without_secrets(),
            **self.broker,
            "TOPICFLOW_HOST": LOOPBACK,
            "TOPICFLOW_PORT": str(self.port),
            "TOPICFLOW_INSTANCE": self.instance_prefix + instance,
            **settings,
        }
        return Program(instance.removesuffix("-1"), (sys.executable, "-m", name.replace("-", "_")), environment)


def _without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """Excludes this machine from the proxy of the user's environment."""
    existing = environment.get("no_proxy") or environment.get("NO_PROXY")
    value = f"{existing},{LOOPBACK}" if existing else LOOPBACK
    return {"NO_PROXY": value, "no_proxy": value}
