"""What each part of local mode is started with: settings travel by environment only, secrets to those who need them."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from topicflow.local_mode.child import Program
from topicflow.local_mode.ports import LOOPBACK

GEMINI_KEYS = ("GEMINI_API_KEY", "GOOGLE_AI_API_KEY", "GEMINI_API_KEYS")
GEMINI_SECRETS = frozenset(GEMINI_KEYS) | {f"{name}_FILE" for name in GEMINI_KEYS}
REPLACED = frozenset({"TOPICFLOW_BROKER_URL", "TOPICFLOW_DATABASE_URL"})  # by local mode's own
ONE_EACH = frozenset({"TOPICFLOW_OPS_PORT"})  # its services would take the same port
OWN = REPLACED | {f"{name}_FILE" for name in REPLACED}

WORKER_STOPS_WITHIN = "10"  # seconds for calls that are under way; less than the supervisor's grace


def gemini_is_configured(environment: Mapping[str, str]) -> bool:
    """An empty value means not set."""
    return any(environment.get(name) for name in (*GEMINI_SECRETS, "GOOGLE_GEMINI_BASE_URL"))


@dataclass(frozen=True, slots=True)
class LocalMode:
    """The services, and what they are told about each other."""

    environment: Mapping[str, str]  # the user's
    broker_url: str
    database_url: str
    port: int
    stand_in_port: int | None  # None: the real Gemini

    def without_secrets(self) -> dict[str, str]:
        left_out = GEMINI_SECRETS | OWN | ONE_EACH
        return {name: value for name, value in self.environment.items() if name not in left_out}

    def stand_in(self) -> Program:
        arguments = (sys.executable, "-m", "stand_ins.gemini", "--port", str(self.stand_in_port))
        return Program("gemini-stand-in", arguments, self.without_secrets())

    def status_projector(self) -> Program:
        return self._service("status-projector", {"TOPICFLOW_DATABASE_URL": self.database_url})

    def api(self) -> Program:
        return self._service("api", {"TOPICFLOW_DATABASE_URL": self.database_url})

    def topic_worker(self) -> Program:
        stop = {"TOPICFLOW_STOP_SECONDS": self.environment.get("TOPICFLOW_STOP_SECONDS") or WORKER_STOPS_WITHIN}
        if self.stand_in_port is None:
            secrets = {name: value for name, value in self.environment.items() if name in GEMINI_SECRETS}
            return self._service("topic-worker", stop | secrets)
        stand_in = {
            "GOOGLE_GEMINI_BASE_URL": f"http://{LOOPBACK}:{self.stand_in_port}",
            "GEMINI_API_KEY": "stand-in",
        }
        return self._service("topic-worker", stop | stand_in | _past_any_proxy(self.environment))

    def _service(self, name: str, settings: Mapping[str, str]) -> Program:
        environment = {
            **self.without_secrets(),
            "TOPICFLOW_BROKER_URL": self.broker_url,
            "TOPICFLOW_HOST": LOOPBACK,
            "TOPICFLOW_PORT": str(self.port),
            "TOPICFLOW_INSTANCE": f"{name}-1",
            **settings,
        }
        return Program(name, (sys.executable, "-m", name.replace("-", "_")), environment)


def _past_any_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """A proxy from the user's environment must not be asked for what runs on this machine."""
    given = environment.get("no_proxy") or environment.get("NO_PROXY")
    value = f"{given},{LOOPBACK}" if given else LOOPBACK
    return {"NO_PROXY": value, "no_proxy": value}
