"""The broker and the database of a deployment, of either kind; tests do not know which."""

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from servers.found import OwnServer, Server, a_kafka, or_skip
from servers.kafka import remove_streams
from servers.postgres import own_database
from servers.valkey import ValkeyServer
from shared.messaging import connect
from shared.messaging.broker import Transport
from shared.messaging.settings import BrokerSettings

VALKEY, KAFKA = STACKS = "valkey+sqlite", "kafka+postgresql"
ON_VALKEY = pytest.mark.parametrize("stacks", [VALKEY], indirect=True)  # for what is about Redis itself
ON_KAFKA = pytest.mark.parametrize("stacks", [KAFKA], indirect=True)
QUICK = {"TOPICFLOW_PARTITIONS": "4", "TOPICFLOW_SESSION_TIMEOUT_SECONDS": "2"}  # by default 12 and 10
BY_DEFAULT = dict.fromkeys(QUICK, "")  # for services with the defaults


@dataclass(frozen=True)
class Stack:
    """`settings`: of the broker, for every service. `own_broker`: None if other tests use it too."""

    name: str
    settings: Mapping[str, str]
    database_url: str
    own_broker: OwnServer | None

    @property
    def broker(self) -> OwnServer:
        """To be broken."""
        assert self.own_broker, "other tests use this broker too: this one must be marked breaks_the_broker"
        return self.own_broker

    @property
    def broker_url(self) -> str:
        return self.settings["TOPICFLOW_BROKER_URL"]

    @property
    def prefix(self) -> str:
        """Of the names of its streams and groups."""
        return self.settings.get("TOPICFLOW_STREAM_PREFIX", "")

    def connect(self) -> Transport:
        """As services are connected."""
        return connect(BrokerSettings.model_validate(dict(self.settings)))


class Stacks(Protocol):
    """Stacks of one kind, each with an empty broker and database of its own as far as its services can see."""

    @property
    def name(self) -> str:
        """As in STACKS."""

    def shared(self, folder: Path) -> AbstractContextManager[Stack]:
        """Running; tests must not break it."""

    def own(self, folder: Path) -> AbstractContextManager[Stack]:
        """Its broker is not started yet."""


class ValkeyAndSqlite:
    name = VALKEY

    @contextmanager
    def shared(self, folder: Path) -> Iterator[Stack]:
        with self.own(folder) as stack:
            stack.broker.start()
            yield stack

    @contextmanager
    def own(self, folder: Path) -> Iterator[Stack]:
        server = ValkeyServer(folder / "valkey")
        try:
            yield on_valkey(server, folder)
        finally:
            server.end()


def on_valkey(server: ValkeyServer, folder: Path) -> Stack:
    """With a database in that folder."""
    return Stack(VALKEY, {"TOPICFLOW_BROKER_URL": server.url}, f"sqlite:///{folder}/topicflow.db", server)


@dataclass(frozen=True)
class KafkaAndPostgres:
    """`kafka`, `postgres`: the ones that all share."""

    kafka: Server
    postgres: Server
    name: str = KAFKA

    @contextmanager
    def shared(self, folder: Path) -> Iterator[Stack]:
        prefix = f"{uuid.uuid4().hex[:8]}."
        settings = {"TOPICFLOW_BROKER_URL": self.kafka.url, "TOPICFLOW_STREAM_PREFIX": prefix, **QUICK}
        with own_database(self.postgres.url) as database_url:
            yield Stack(KAFKA, settings, database_url, None)
        asyncio.run(remove_streams(self.kafka.url, prefix))

    @contextmanager
    def own(self, folder: Path) -> Iterator[Stack]:
        server = or_skip(lambda: a_kafka(folder / "kafka"))
        settings = {"TOPICFLOW_BROKER_URL": server.url, **QUICK}
        try:
            with own_database(self.postgres.url) as database_url:
                yield Stack(KAFKA, settings, database_url, server)
        finally:
            server.end()
