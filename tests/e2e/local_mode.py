"""`topicflow up` as a process, and the other commands beside it, as typed on a shell."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from eventually import eventually
from servers import free_port

COMMAND = (str(Path(sys.executable).with_name("topicflow")),)
_NOT_OURS = ("TOPICFLOW_", "GEMINI_", "GOOGLE_", "REDIS_", "WORKER_", "ENABLE_", "DATA_API_", "KEYCLOAK_")

CHILDREN = {  # of an `up` without a Gemini key
    "valkey-server",
    "simulators.gemini",
    "simulators.catalog",
    "status_projector",
    "topic_worker",
    "enricher",
    "api",
}


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str


def environment(data: Path, **more: str) -> dict[str, str]:
    """The environment without variables that change local mode."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
    return kept | {"TOPICFLOW_DATA": str(data)} | more


def run(data: Path, *arguments: str, stdin: str = "", **more: str) -> Ended:
    """Runs one command to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments], env=environment(data, **more), input=stdin, capture_output=True, text=True, timeout=120
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class LocalMode:
    """Stopped by `end` in any state."""

    def __init__(
        self, folder: Path, *arguments: str, port: int | None = None, command: Sequence[str] = COMMAND, **more: str
    ) -> None:
        self.data = folder / "the data"
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._out = folder / f"up-{len(list(folder.glob('up-*')))}.out"
        with self._out.open("xb") as out:
            self.process = subprocess.Popen(
                [*command, "up", "--port", str(self.port), *arguments],
                env=environment(self.data, **more),
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        self._seen: dict[int, psutil.Process] = {}

    @property
    def out(self) -> str:
        return self._out.read_text()

    async def ready(self) -> "LocalMode":
        def is_ready() -> bool:
            assert self.process.poll() is None, self.out
            return f"topicflow is ready at {self.url}\n" in self.out

        await eventually(is_ready, within=30)
        self.children()
        return self

    def children(self) -> dict[str, psutil.Process]:
        """The live children by name."""
        found = [(_name(child), child) for child in psutil.Process(self.process.pid).children(recursive=True)]
        self._seen.update({child.pid: child for _, child in found})
        return {name: child for name, child in found if name}

    def workers(self) -> list[psutil.Process]:
        """The live topic-workers."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if _name(child) == "topic_worker"]

    def living(self) -> list[psutil.Process]:
        """All processes ever seen that have not ended."""
        return [child for child in self._seen.values() if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]

    def run(self, *arguments: str, stdin: str = "") -> Ended:
        return run(self.data, *arguments, stdin=stdin)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a command and does not wait for it."""
        pipe = subprocess.PIPE
        return subprocess.Popen([*COMMAND, *arguments], env=environment(self.data), stdout=pipe, stderr=pipe, text=True)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def exit_code(self, within: float = 30) -> int:
        await eventually(lambda: self.process.poll() is not None, within=within)
        return self.process.returncode

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, trust_env=False)

    def simulator(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """A request to the controls of the simulator of Gemini."""
        words = self.children()["simulators.gemini"].cmdline()
        url = f"http://127.0.0.1:{words[words.index('--port') + 1]}/simulator{path}"
        httpx.request(method, url, json=body, trust_env=False).raise_for_status()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for child in self.living():
            child.kill()


def _name(child: psutil.Process) -> str | None:
    """`api`, `topic_worker`, `valkey-server` …; None for one that has ended or has not become itself yet."""
    try:
        words = child.cmdline()
    except psutil.NoSuchProcess:
        return None
    if "-m" in words:
        return words[words.index("-m") + 1] if "-I" not in words else None
    name = Path(words[0].split()[0]).name if words else ""
    return name if name == "valkey-server" else None
