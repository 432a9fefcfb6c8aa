"""What a benchmark runs on: a fresh broker and database, and the processes that it measures."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from servers import Deployment, GeminiStandIn, Process, ValkeyServer

from shared.streams import PROJECTOR

LLM_IN_PROCESS, LLM_OVER_HTTP, BY_HAND = "in the process", "over HTTP", "hand-written"


class Setting(Deployment):
    def start_workers(self, llm: str) -> None:
        """One worker and one projector, the worker's LLM as named."""
        if llm == LLM_OVER_HTTP:
            self.gemini.start()
            self.add("topic-worker", "topic-worker-1")
        else:
            self._start("worker", "bench.hand_written" if llm == BY_HAND else "bench.in_process_worker", "worker")
        if llm == BY_HAND:
            self._start("projector", "bench.hand_written", "projector")
        else:
            self.add(PROJECTOR, "projector-1")

    def _start(self, name: str, module: str, *arguments: str) -> None:
        environment = {"TOPICFLOW_BROKER_URL": self.valkey.url, "BENCH_DATABASE": self.database_path}
        process = Process([sys.executable, "-m", module, *arguments], self.folder / f"{name}.log", environment)
        process.start()
        self.services[name] = process

    @property
    def database_path(self) -> str:
        return self.database_url.removeprefix("sqlite:///")

    @property
    def has_database(self) -> bool:
        return Path(self.database_path).exists()

    def completed(self) -> int:
        """As the projection counts them."""
        if not self.has_database:
            return 0
        with sqlite3.connect(f"file:{self.database_path}?mode=ro", uri=True) as database:
            try:
                query = "SELECT sum(submissions) FROM status_counts WHERE status = 'completed'"
                return int(database.execute(query).fetchone()[0] or 0)
            except sqlite3.OperationalError:
                return 0


@contextmanager
def setting() -> Iterator[Setting]:
    with TemporaryDirectory(prefix="topicflow-bench-") as folder:
        valkey = ValkeyServer(Path(folder) / "valkey")
        valkey.start()
        run = Setting(Path(folder), valkey, GeminiStandIn(Path(folder)))
        try:
            yield run
        finally:
            run.end()
