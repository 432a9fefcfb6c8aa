"""Broker and database with nothing in them yet, the command that provisions them, and services on them."""

import os
import subprocess
import sys
from dataclasses import dataclass

from contract.brokers import GROUP
from contract.kafka_broker import forget_group
from contract.submissions import SUBMISSIONS, submitted
from integration.databases import rows
from redis.asyncio import Redis
from servers import Deployment, Process

from shared.broker_settings import BrokerSettings
from shared.streams import PROJECTOR
from shared.transport import connect
from shared.transport.base import Transport
from shared.transport.kafka.connection import Cluster

COMMAND = [sys.executable, "-m", "api.provision"]  # what `topicflow provision` runs


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
    """`settings`: everybody's, the command's too."""

    deployment: Deployment
    settings: dict[str, str]

    @property
    def database_url(self) -> str:
        return self.settings["TOPICFLOW_DATABASE_URL"]

    @property
    def is_kafka(self) -> bool:
        return self.settings["TOPICFLOW_BROKER_URL"].startswith("kafka:")

    def add(self, service: str, instance: str = "", **settings: str) -> Process:
        return self.deployment.add(service, instance, **self.settings | settings)

    def project(self) -> Process:
        return self.add(PROJECTOR, f"{PROJECTOR}-{len(self.deployment.services)}")

    def begin(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOPICFLOW_")}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*COMMAND, *arguments], env=environment | self.settings | settings, stdout=pipe, stderr=pipe, text=True
        )

    def provision(self, *arguments: str, **settings: str) -> Ran:
        return ended(self.begin(*arguments, **settings))

    def connect(self, **settings: str) -> Transport:
        return connect(BrokerSettings.model_validate(self.settings | settings))

    async def submit(self, *titles: str) -> None:
        """Past the API, by a producer that has just looked where the partitions are."""
        transport = self.connect()
        await transport.publish([submitted(title) for title in titles])
        await transport.close()

    async def lose_positions(self) -> None:
        """Of the group whose members have died or left."""
        settings = BrokerSettings.model_validate(self.settings)
        if self.is_kafka:
            await forget_group(Cluster(settings.kafka_servers, settings.stream_prefix), GROUP)
            return
        async with Redis.from_url(settings.broker_url) as redis:
            await redis.xgroup_destroy(SUBMISSIONS, GROUP)

    def statuses(self) -> dict[str, str]:
        """By title."""
        return dict(rows(self.database_url, "SELECT title, status FROM submissions"))

    @property
    def paid(self) -> dict[str, int]:
        """How often the stand-in answered each title well."""
        return dict(self.deployment.gemini.calls["titles"])


def ended(process: subprocess.Popen[str]) -> Ran:
    out, err = process.communicate(timeout=120)
    return Ran(process.returncode, out, err)
