"""What both servers are to those who run them: `foreground` and the tests."""

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
        """The variable that points topicflow at it."""

    @property
    def ports(self) -> tuple[int, ...]:
        """All on loopback; the first is for its clients."""

    @property
    def log(self) -> Path:
        """Where its output belongs."""

    @property
    def stops_on(self) -> signal.Signals:
        """Stops it in order, whoever is connected."""

    def command(self) -> list[str]:
        """Makes, once, its folder and says how to start it. Raises Failed where it cannot run here."""

    def answers(self) -> bool: ...
