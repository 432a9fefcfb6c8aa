"""A process that tests can start, kill, freeze and stop."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Process:
    """A child of the test, with its output in a file."""

    command: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("TOPICFLOW_", "GEMINI_"))
        }
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(self.command, stdout=log, stderr=log, env=inherited | self.environment)

    def signal(self, number: int) -> None:
        assert self.running
        self.running.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        assert self.running
        self.running.wait(10)

    def freeze(self) -> None:
        """SIGSTOP: it answers nothing, and its connections stay open."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def stop(self, within: float = 30) -> int:
        """SIGTERM; returns the exit code."""
        assert self.running
        self.signal(signal.SIGTERM)
        return self.running.wait(within)

    def end(self) -> None:
        """Kills it in any state, frozen too."""
        if self.running and self.running.poll() is None:
            self.thaw()
            self.kill()

    @property
    def is_alive(self) -> bool:
        return self.running is not None and self.running.poll() is None

    @property
    def output(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


def until(condition: Callable[[], bool], within: float, otherwise: str) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)
