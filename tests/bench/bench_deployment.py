"""What a benchmark runs on: a fresh broker and database, and the measured processes."""

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from eventually import eventually
from servers import GeminiSimulator, Process
from servers.deployment import Deployment

from bench.projection import Projection
from bench.stacks import running_stack
from shared.streams import PROJECTOR

LLM_IN_PROCESS, LLM_OVER_HTTP, BY_HAND = "LLM in the process", "LLM over HTTP", "hand-written"
HOW = (LLM_IN_PROCESS, LLM_OVER_HTTP, BY_HAND)
WORKER, PROJECTING, API = "worker", "projector", "api"  # its processes, beside the servers
STUCK_SECONDS = 60  # without one more topic


@dataclass(kw_only=True)
class BenchDeployment(Deployment):
    """`servers`: the broker, and the database if it is one, by name."""

    servers: Mapping[str, Process]
    projection: Projection

    def start_worker(self, llm: str) -> None:
        """`llm`: one of HOW."""
        if llm == LLM_OVER_HTTP:
            self.gemini.start()
            self.add("topic-worker", WORKER)
        elif llm == BY_HAND:
            self.start(WORKER, "bench.baseline", "worker")
        else:
            self.start(WORKER, "bench.in_process_worker")

    def start_projector(self, how: str) -> None:
        if how == BY_HAND:
            self.start(PROJECTING, "bench.baseline", "projector")
        else:
            self.add(PROJECTOR, PROJECTING)

    def start(self, name: str, module: str, *arguments: str) -> None:
        """A process with the environment of a service."""
        environment = {**self.stack.settings, "TOPICFLOW_DATABASE_URL": self.database_url, "TOPICFLOW_INSTANCE": name}
        process = Process([sys.executable, "-m", module, *arguments], self.folder / f"{name}.log", environment)
        process.start()
        self.services[name] = process

    @property
    def processes(self) -> Mapping[str, Process]:
        return {**self.services, **self.servers}

    def completing(self, topics: int) -> Iterator[int]:
        """Yields the number of completed topics in the projection until all are completed.

        Raises RuntimeError if a process ended, TimeoutError if the number stops growing.
        """
        most, since = -1, time.monotonic()
        while (completed := self.projection.completed) < topics:
            if completed > most:
                most, since = completed, time.monotonic()
            self.must_live()
            if time.monotonic() - since > STUCK_SECONDS:
                raise TimeoutError(f"{completed} of {topics} topics, and no more for {STUCK_SECONDS} s")
            yield completed

    def must_live(self) -> None:
        """Raises RuntimeError if a process ended."""
        if ended := [name for name, process in self.processes.items() if not process.is_alive]:
            raise RuntimeError(f"{ended[0]} ended: {self.processes[ended[0]].output[-2000:]}")

    def until(self, path: str) -> None:
        """Waits until the server answers GET `path` with success."""

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
def bench_deployment(on: str, kept: Path | None = None) -> Iterator[BenchDeployment]:
    """`on`: as servers.stack.STACKS names them; `kept`: a folder with a SQLite database of its own."""
    with TemporaryDirectory(prefix="topicflow-bench-") as temporary, ExitStack() as opened:
        folder = Path(temporary)
        stack, servers = opened.enter_context(running_stack(on, folder, kept or folder))
        projection = Projection(stack.database_url)
        opened.callback(projection.close)
        run = BenchDeployment(kept or folder, stack, GeminiSimulator(folder), servers=servers, projection=projection)
        opened.callback(run.end)
        yield run
