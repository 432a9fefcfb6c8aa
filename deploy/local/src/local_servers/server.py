"""The interface of both servers for `foreground` and the tests."""

import signal
from pathlib import Path
from typing import Protocol

from local_processes.ports import LOOPBACK

__all__ = ["LOOPBACK", "ServerProgram"]


class ServerProgram(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    @property
    def setting(self) -> str:
        """The environment variable that configures topicflow to use it."""

    @property
    def ports(self) -> tuple[int, ...]:
        """All on loopback; the first one is for clients."""

    @property
    def log(self) -> Path:
        """The file for its output."""

    @property
    def stop_signal(self) -> signal.Signals:
        """Stops it cleanly, even while clients are connected."""

    def command(self) -> list[str]:
        """Creates its folder if it is missing and returns the command. Raises Failed if it cannot run here."""

    def answers(self) -> bool: ...
