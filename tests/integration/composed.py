"""The services of deploy/compose.yaml as processes of this machine, each with exactly its environment there."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from compose_file import TRIAL, environment, services, variables
from servers import Process, free_port

PATH = f"PATH={Path(sys.executable).parent}"  # as in the image: python and topicflow are found there
OWN_PORTS = {
    "api": "8000",
    "topic-worker": "9000",
    "enricher": "9000",
    "status-projector": "9000",
    "gemini-simulator": "8100",
    "catalog-simulator": "8101",
}
UNSET_PORTS = {"api": "TOPICFLOW_PORT"}  # the default is the published port
TIMEOUT = 30  # seconds


@dataclass
class Composed:
    """`addresses`: replace those of the containers. Besides them only ports differ, because all services run on one
    machine."""

    folder: Path
    addresses: dict[str, str]
    ports: dict[str, str] = field(default_factory=lambda: {name: str(free_port()) for name in OWN_PORTS})
    processes: dict[str, Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._given = variables(TRIAL)
        self.services = services(self._given)
        for name in ("gemini-simulator", "catalog-simulator", "api"):
            self.addresses[f"{name}:{OWN_PORTS[name]}"] = f"127.0.0.1:{self.ports[name]}"

    def give(self, **more: str) -> None:
        """As in .env, from now on."""
        self._given |= more
        self.services = services(self._given)

    def environment(self, name: str) -> dict[str, str]:
        values = environment(self.services[name], self._given)
        return {key: self._here(name, value) for key, value in values.items()}

    def command(self, name: str, *instead: str) -> list[str]:
        """`instead`: replaces its command, as in `docker compose run`."""
        values = self.environment(name)
        if name in UNSET_PORTS:
            values[UNSET_PORTS[name]] = self.ports[name]
        arguments = instead or [self._here(name, part) for part in self.services[name]["command"]]
        return ["env", "-i", PATH, *(f"{key}={value}" for key, value in values.items()), *arguments]

    def run(self, name: str, *instead: str) -> str:
        """Runs it until it ends with exit code 0; returns its output."""
        ended = subprocess.run(self.command(name, *instead), capture_output=True, text=True, timeout=TIMEOUT)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    def start(self, name: str) -> None:
        self.processes[name] = Process(self.command(name), self.folder / f"{name}.log")
        self.processes[name].start()

    def is_healthy(self, name: str) -> bool:
        """Whether its health check succeeds."""
        kind, *check = [self._here(name, part) for part in self.services[name]["healthcheck"]["test"]]
        assert kind == "CMD"
        return subprocess.run(["env", "-i", PATH, *check], capture_output=True, timeout=TIMEOUT).returncode == 0

    def end(self) -> None:
        for process in self.processes.values():
            process.end()

    def _here(self, name: str, value: str) -> str:
        if value == OWN_PORTS.get(name):
            return self.ports[name]
        for there, here in self.addresses.items():
            value = value.replace(f"//{there}", f"//{here}").replace(f"@{there}", f"@{here}")
        return value


def addresses(kafka_url: str, postgres_url: str) -> dict[str, str]:
    """The addresses of the servers that replace the containers."""
    database = postgres_url.partition("@")[2]
    return {"kafka:9092": kafka_url.removeprefix("kafka://"), "postgres:5432/topicflow": database}
