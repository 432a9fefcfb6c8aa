"""PostgreSQL, as a local process or in a container, and databases in it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
from psycopg.sql import SQL, Identifier

from local_servers.postgres import FIRST_STATEMENTS, LOCALE, OWNER, Postgres
from servers.container import Container
from servers.local_server import LocalServer
from servers.ports import LOOPBACK, free_port
from servers.process import until

SETTINGS = {"max_connections": "200", "fsync": "off"}  # without fsync only a power cut loses something


class PostgresServer(LocalServer):
    """Freezes and dies with all its connections, which are processes of their own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """`settings`: override SETTINGS. Raises local_processes.errors.Failed without the wheel."""
        super().__init__(Postgres(folder, free_port(), SETTINGS | settings))

    def freeze(self) -> None:
        super().freeze()
        for child in self._children():
            with suppress(psutil.NoSuchProcess):
                child.suspend()

    def thaw(self) -> None:
        super().thaw()
        for child in self._children():
            with suppress(psutil.NoSuchProcess):
                child.resume()

    def kill(self) -> None:
        children = self._children()
        super().kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        until(lambda: not any(map(lives, children)), 10, "PostgreSQL's processes live on")  # it would not start again

    def _children(self) -> list[psutil.Process]:
        assert self.running
        return psutil.Process(self.running.pid).children()


def postgres_container(folder: Path) -> Container:
    """Not started. Its user has the same rights as on a local one."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    first = folder / "first.sql"
    first.write_text(FIRST_STATEMENTS)
    first.chmod(0o644)
    url = f"postgresql://{OWNER}@{LOOPBACK}:{port}/{OWNER}"
    environment = {"POSTGRES_HOST_AUTH_METHOD": "trust", "POSTGRES_INITDB_ARGS": " ".join(LOCALE)}
    command = ["postgres", *(f"--{name}={value}" for name, value in SETTINGS.items())]
    files = {first: "/docker-entrypoint-initdb.d/first.sql"}
    return Container("postgres:18", url, lambda: _answers(url), (5432, port), environment, command, files)


def lives(process: psutil.Process) -> bool:
    """False for a zombie."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def own_database(server: str) -> Iterator[str]:
    """The URL of a new, empty database on this server; dropped afterwards, even with open connections."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
