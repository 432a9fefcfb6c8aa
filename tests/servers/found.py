"""The Kafka or PostgreSQL of a test: at a given address, in Docker, or as a local process."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest

from local_processes.errors import Failed
from servers.container import docker_answers
from servers.kafka import KafkaServer, kafka_container
from servers.postgres import PostgresServer, postgres_container

has_docker = cache(docker_answers)


class Server(Protocol):
    @property
    def url(self) -> str: ...


class OwnServer(Server, Protocol):
    """One that a test may break."""

    @property
    def is_alive(self) -> bool: ...

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def freeze(self) -> None: ...

    def thaw(self) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class Given:
    url: str


def a_kafka(folder: Path) -> OwnServer:
    return kafka_container(folder) if has_docker() else KafkaServer(folder)


def a_postgres(folder: Path) -> OwnServer:
    return postgres_container(folder) if has_docker() else PostgresServer(folder)


def or_skip(make: Callable[[], OwnServer]) -> OwnServer:
    """Skips where it cannot run here; on CI that is a failure."""
    try:
        return make()
    except Failed as reason:
        if os.environ.get("CI"):
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@contextmanager
def started(make: Callable[[], OwnServer]) -> Iterator[OwnServer]:
    """Skips where it cannot run here."""
    server = or_skip(make)
    try:
        server.start()
        yield server
    finally:
        server.end()


@contextmanager
def shared(variable: str, make: Callable[[], OwnServer]) -> Iterator[Server]:
    """The server at the address in the environment variable, which is not stopped afterwards, or a new one."""
    if url := os.environ.get(variable):
        yield Given(url)
    else:
        with started(make) as server:
            yield server
