"""What a benchmark runs on: a fresh broker and database, and the processes that it measures."""

import asyncio
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from eventually import eventually
from servers import Deployment, GeminiStandIn, Process, ValkeyServer
from servers.stack import on_valkey

from shared.streams import PROJECTOR

LLM_IN_PROCESS, LLM_OVER_HTTP, BY_HAND = "LLM in the process", "LLM over HTTP", "hand-written"
HOW = (LLM_IN_PROCESS, LLM_OVER_HTTP, BY_HAND)
WORKER, PROJECTING, API, VALKEY = "worker", "projector", "api", "valkey"  # its processes


class Setting(Deployment):
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
            self.start(PROJECTING, "bench.hand_written", "projector")
        else:
            self.add(PROJECTOR, PROJECTING)

    def start(self, name: str, module: str, *arguments: str) -> None:
        environment = {"TOPICFLOW_BROKER_URL": self.valkey.url, "BENCH_DATABASE": self.database_path}
        process = Process([sys.executable, "-m", module, *arguments], self.folder / f"{name}.log", environment)
        process.start()
        self.services[name] = process

    @property
    def processes(self) -> Mapping[str, Process]:
        return {**self.services, VALKEY: self.valkey}

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
        if not self.has_database:
            return 0
        with closing(sqlite3.connect(f"file:{self.database_path}?mode=ro", uri=True)) as database:
            try:
                return int(database.execute(query).fetchone()[0] or 0)
            except sqlite3.OperationalError:
                return 0

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
def setting(kept: Path | None = None) -> Iterator[Setting]:
    """`kept`: a folder with a database of its own."""
    with TemporaryDirectory(prefix="topicflow-bench-") as temporary:
        folder = Path(temporary)
        valkey = ValkeyServer(folder / "valkey")
        valkey.start()
        run = Setting(kept or folder, on_valkey(valkey, kept or folder), GeminiStandIn(folder))
        try:
            yield run
        finally:
            run.end()
            valkey.end()
