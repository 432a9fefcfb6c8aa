"""An empty broker and database, the command that provisions them, and services on them."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from contract.brokers import GROUP
from contract.kafka_broker import forget_group
from contract.submissions import SUBMISSIONS, submitted
from integration.databases import rows
from redis.asyncio import Redis
from servers import Deployment, GeminiSimulator, Process, Stack
from servers.stack import KAFKA
from typer.testing import CliRunner

from api.admin.__main__ import app
from shared.messaging.kafka.connection import Cluster
from shared.streams import PROJECTOR


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def done(self) -> list[str]:
        return [line.removeprefix("done: ") for line in self.out.splitlines() if line.startswith("done: ")]

    @property
    def to_do(self) -> list[str]:
        return [line.removeprefix("to do: ") for line in self.out.splitlines() if line.startswith("to do: ")]


@dataclass
class Installation:
    deployment: Deployment

    @property
    def stack(self) -> Stack:
        return self.deployment.stack

    @property
    def gemini(self) -> GeminiSimulator:
        return self.deployment.gemini

    @property
    def database_url(self) -> str:
        return self.stack.database_url

    def add(self, service: str, instance: str = "") -> Process:
        return self.deployment.add(service, instance)

    def project(self) -> Process:
        return self.add(PROJECTOR, f"{PROJECTOR}-{len(self.deployment.services)}")

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """A process that a test may kill."""
        kept = {name: value for name, value in os.environ.items() if name not in _topicflow_settings()}
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "api.admin", "provision", *arguments]
        return subprocess.Popen(command, env=kept | self._settings, stdout=pipe, stderr=pipe, text=True)

    def provision(self, *arguments: str, **settings: str) -> Ran:
        return run_admin(["provision", *arguments], self._settings | settings)

    @property
    def _settings(self) -> dict[str, str]:
        return {**self.stack.settings, "TOPICFLOW_DATABASE_URL": self.database_url}

    async def submit(self, *titles: str) -> None:
        """Publishes without the API, by a producer with current partition metadata."""
        transport = self.stack.connect()
        await transport.publish([submitted(title) for title in titles])
        await transport.close()

    async def lose_positions(self, group: str = GROUP, stream: str = SUBMISSIONS) -> None:
        """Of a group without members."""
        if self.stack.name == KAFKA:
            await forget_group(Cluster(self.stack.broker_url.removeprefix("kafka://"), self.stack.prefix), group)
            return
        async with Redis.from_url(self.stack.broker_url) as redis:
            await redis.xgroup_destroy(stream, group)

    def statuses(self) -> dict[str, str]:
        """By title."""
        return dict(rows(self.database_url, "SELECT name, status FROM submissions"))

    def count_events(self, event: str) -> int:
        """The number of these events in the history."""
        [(count,)] = rows(self.database_url, f"SELECT count(*) FROM history WHERE event = '{event}'")
        return int(count)

    @property
    def paid(self) -> dict[str, int]:
        """The number of good answers of the simulator, by title."""
        return dict(self.gemini.calls["titles"])


def run_admin(arguments: Sequence[str], settings: Mapping[str, str]) -> Ran:
    """`python -m api.admin` in this process, on a thread without an event loop, with these settings and no others."""
    environment = {**dict.fromkeys(_topicflow_settings()), **settings}
    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(CliRunner().invoke, app, arguments, env=environment).result()
    return Ran(result.exit_code, result.stdout, result.stderr)


def _topicflow_settings() -> list[str]:
    """Those of the developer's shell."""
    return [name for name in os.environ if name.startswith("TOPICFLOW_")]


def ended(process: subprocess.Popen[str]) -> Ran:
    out, err = process.communicate(timeout=120)
    return Ran(process.returncode, out, err)
