"""What a benchmark runs on: a fresh broker and database, and the processes that it measures."""

import asyncio
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psycopg
from eventually import eventually
from integration.databases import rows
from servers import GeminiStandIn, PostgresServer, Process, ValkeyServer
from servers.deployment import Deployment
from servers.stack import on_valkey

from shared.streams import PROJECTOR

LLM_IN_PROCESS, LLM_OVER_HTTP, BY_HAND = "LLM in the process", "LLM over HTTP", "hand-written"
HOW = (LLM_IN_PROCESS, LLM_OVER_HTTP, BY_HAND)
WORKER, PROJECTING, API, VALKEY, POSTGRESQL = "worker", "projector", "api", "valkey", "postgresql"  # its processes


@dataclass
class Setting(Deployment):
    """On SQLite, or on a PostgreSQL of its own."""

    postgres: PostgresServer | None = None
    asking: psycopg.Connection[Any] | None = None  # one for all questions: opening it costs as much as 100 events

    @property
    def valkey(self) -> ValkeyServer:
        assert isinstance(self.stack.broker, ValkeyServer)
        return self.stack.broker

    def start_worker(self, llm: str) -> None:
        """Its LLM as named."""
        if llm == LLM_OVER_HTTP:
            self.gemini.start()
            self.add("topic-worker", WORKER)
        elif llm == BY_HAND:
            self.start(WORKER, "bench.hand_written", "worker")
        else:
            self.start(WORKER, "bench.in_process_worker")

    def start_projector(self, how: str) -> None:
        if how == BY_HAND:
            module = "bench.hand_written_postgresql" if self.postgres else "bench.hand_written"
            self.start(PROJECTING, module, "projector")
        else:
            self.add(PROJECTOR, PROJECTING)

    def start(self, name: str, module: str, *arguments: str) -> None:
        database = self.database_url if self.postgres else self.database_path
        environment = {"TOPICFLOW_BROKER_URL": self.valkey.url, "BENCH_DATABASE": database}
        process = Process([sys.executable, "-m", module, *arguments], self.folder / f"{name}.log", environment)
        process.start()
        self.services[name] = process

    @property
    def processes(self) -> Mapping[str, Process]:
        servers = {VALKEY: self.valkey, POSTGRESQL: self.postgres} if self.postgres else {VALKEY: self.valkey}
        return {**self.services, **servers}

    @property
    def database_path(self) -> str:
        return self.database_url.removeprefix("sqlite:///")

    @property
    def has_database(self) -> bool:
        return Path(self.database_path).exists()

    @property
    def has_projected(self) -> bool:
        return self.asked("SELECT count(*) FROM status_counts") > 0

    @property
    def completed(self) -> int:
        """As the projection counts them."""
        return self.asked("SELECT sum(submissions) FROM status_counts WHERE status = 'completed'")

    def asked(self, query: str) -> int:
        """0 while there is nothing to be asked."""
        try:
            found = self.asking.execute(query).fetchall() if self.asking else rows(self.database_url, query)
        except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
            return 0
        [(number,)] = found
        return int(number or 0)

    def until(self, path: str) -> None:
        """Until the server answers this with success."""

        async def ask() -> None:
            async with self.client() as client:

                async def does() -> bool:
                    try:
                        return (await client.get(path)).is_success
                    except httpx.TransportError:
                        return False

                await eventually(does, within=30)

        asyncio.run(ask())


@contextmanager
def setting(kept: Path | None = None, database: str = "sqlite") -> Iterator[Setting]:
    """`kept`: a folder with a database of its own; `database`: its kind."""
    with TemporaryDirectory(prefix="topicflow-bench-") as temporary, ExitStack() as opened:
        folder = Path(temporary)
        valkey = ValkeyServer(folder / "valkey")
        valkey.start()
        opened.callback(valkey.end)
        stack, postgres, asking = on_valkey(valkey, kept or folder), None, None
        if database == "postgresql":
            postgres = PostgresServer(folder / "postgres")
            opened.callback(postgres.end)
            postgres.start()
            stack = replace(stack, database_url=postgres.url)
            asking = opened.enter_context(psycopg.connect(postgres.url, autocommit=True))
        run = Setting(kept or folder, stack, GeminiStandIn(folder), postgres=postgres, asking=asking)
        opened.callback(run.end)
        yield run
