"""What each part of local mode is started with: settings travel by environment only, secrets to those who need them."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_processes.child import Program
from local_processes.ports import LOOPBACK
from topicflow.local_mode.external_services import is_of_the_broker, is_of_the_database

GEMINI_KEYS = ("GEMINI_API_KEY", "GOOGLE_AI_API_KEY", "GEMINI_API_KEYS")
GEMINI_SECRETS = frozenset(GEMINI_KEYS) | {f"{name}_FILE" for name in GEMINI_KEYS}
CATALOG_SECRETS = frozenset({"KEYCLOAK_CLIENT_SECRET", "KEYCLOAK_CLIENT_SECRET_FILE"})
SECRETS = GEMINI_SECRETS | CATALOG_SECRETS
ENRICHES = "ENABLE_BACKGROUND_WORKER"
ONE_EACH = frozenset({"TOPICFLOW_OPS_PORT"})  # its services would take the same port

WORKER_STOPS_WITHIN = "10"  # seconds for calls that are under way; less than the supervisor's grace


def gemini_is_configured(environment: Mapping[str, str]) -> bool:
    """An empty value means not set."""
    return any(environment.get(name) for name in (*GEMINI_SECRETS, "GOOGLE_GEMINI_BASE_URL"))


def enriches(environment: Mapping[str, str]) -> bool:
    """Unless told otherwise; but nobody is to pay Gemini for a simulator's articles who did not ask for that."""
    if value := environment.get(ENRICHES):
        return value.lower() in {"1", "true", "yes", "on", "t", "y"}
    return bool(environment.get("DATA_API_URL")) or not gemini_is_configured(environment)


@dataclass(frozen=True, slots=True)
class LocalMode:
    """The services, and what they are told about each other."""

    environment: Mapping[str, str]  # the user's
    broker: Mapping[str, str]  # settings
    database: Mapping[str, str]
    port: int
    simulator_port: int | None  # None: the real Gemini
    catalog_port: int | None = None  # of the simulator for the catalogue; None: the real one, or none
    enriches: bool = False
    instances: str = ""  # what the names of its instances begin with; nothing where nobody else uses the broker

    def without_secrets(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.environment.items()
            if name not in SECRETS | ONE_EACH and not is_of_the_broker(name) and not is_of_the_database(name)
        }

    def simulator(self) -> Program:
        arguments = (sys.executable, "-m", "simulators.gemini", "--port", str(self.simulator_port))
        return Program("gemini-simulator", arguments, self.without_secrets())

    def catalog_simulator(self, file: Path) -> Program:
        """`file`: where it keeps what is written."""
        arguments = ("--port", str(self.catalog_port), "--file", str(file))
        program = (sys.executable, "-m", "simulators.catalog", *arguments)
        return Program("catalog-simulator", program, self.without_secrets())

    def status_projector(self) -> Program:
        return self._service("status-projector", "status-projector-1", self.database)

    def api(self) -> Program:
        return self._service("api", "api-1", {**self.database, ENRICHES: str(self.enriches).lower()})

    def topic_worker(self, number: int = 1) -> Program:
        return self._service("topic-worker", f"topic-worker-{number}", self._of_a_worker())

    def enricher(self) -> Program:
        catalog = {name: value for name, value in self.environment.items() if name in CATALOG_SECRETS}
        if self.catalog_port is not None:
            catalog = {
                "DATA_API_URL": f"http://{LOOPBACK}:{self.catalog_port}",
                "KEYCLOAK_CLIENT_ID": "simulator",
                "KEYCLOAK_CLIENT_SECRET": "simulator",
            }
        api = {ENRICHES: "true", "TOPICFLOW_URL": f"http://{LOOPBACK}:{self.port}"} | _past_any_proxy(self.environment)
        return self._service("enricher", "enricher-1", self._of_a_worker() | catalog | api)

    def _of_a_worker(self) -> dict[str, str]:
        stop = {"TOPICFLOW_STOP_SECONDS": self.environment.get("TOPICFLOW_STOP_SECONDS") or WORKER_STOPS_WITHIN}
        if self.simulator_port is None:
            return stop | {key: value for key, value in self.environment.items() if key in GEMINI_SECRETS}
        simulator = {
            "GOOGLE_GEMINI_BASE_URL": f"http://{LOOPBACK}:{self.simulator_port}",
            "GEMINI_API_KEY": "simulator",
        }
        return stop | simulator | _past_any_proxy(self.environment)

    def _service(self, name: str, instance: str, settings: Mapping[str, str]) -> Program:
        """Its log is named after the instance, or after the service where there is one of it."""
        environment = {
            **self.without_secrets(),
            **self.broker,
            "TOPICFLOW_HOST": LOOPBACK,
            "TOPICFLOW_PORT": str(self.port),
            "TOPICFLOW_INSTANCE": self.instances + instance,
            **settings,
        }
        return Program(instance.removesuffix("-1"), (sys.executable, "-m", name.replace("-", "_")), environment)


def _past_any_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """A proxy from the user's environment must not be asked for what runs on this machine."""
    given = environment.get("no_proxy") or environment.get("NO_PROXY")
    value = f"{given},{LOOPBACK}" if given else LOOPBACK
    return {"NO_PROXY": value, "no_proxy": value}
