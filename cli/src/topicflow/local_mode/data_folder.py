"""The data folder of local mode: its lock, its files, and the URL that other commands read from it."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from topicflow.errors import InUse, WrongUse

DEFAULT = ".topicflow"
LEFTOVER_TIMEOUT = 20.0  # seconds; longer than the grace period of a child


@dataclass(frozen=True, slots=True)
class DataFolder:
    path: Path  # absolute
    children_lock: int  # file descriptor; every child inherits it, so the lock outlives a killed `up`

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def valkey(self) -> Path:
        return self.path / "valkey"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.path / 'topicflow.db'}"

    @contextlib.contextmanager
    def publish_url(self, url: str) -> Iterator[None]:
        """Other commands find the URL in the body of the `with`."""
        write_private(self.path / "url", url + "\n")
        try:
            yield
        finally:
            (self.path / "url").unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def locked(path: Path, say: Callable[[str], None]) -> AsyncIterator[DataFolder]:
    """Creates the folder if it is missing and locks it. `path`: absolute.

    Raises WrongUse if it cannot be written, InUse if another `up` runs on it or children of an earlier one do not end.
    """
    own_lock, children_lock = _open_locks(path)
    try:
        if not _try_lock(own_lock):
            url = running_url(path)
            raise InUse(f"topicflow is already running on {path}" + (f", at {url}" if url else ""))
        await _wait_for_leftovers(children_lock, path, say)
        yield DataFolder(path, children_lock)
    finally:
        os.close(children_lock)
        os.close(own_lock)


async def _wait_for_leftovers(lock: int, path: Path, say: Callable[[str], None]) -> None:
    """After a `kill -9` of `up`, its children end a moment later. Two Valkeys must not use the same file."""
    if _try_lock(lock):
        return
    say("Waiting for the processes of an earlier run to end …")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LEFTOVER_TIMEOUT):
            while True:
                await asyncio.sleep(0.1)
                if _try_lock(lock):
                    return
    raise InUse(f"processes of an earlier run still use {path}: stop them first")


def running_url(path: Path) -> str | None:
    """URL of the `up` that runs on this folder. Only loopback is accepted: the folder's content is untrusted."""
    try:
        url = (path / "url").read_text().strip()
        address = urlsplit(url)
        is_local = address.scheme == "http" and address.hostname == "127.0.0.1" and address.port is not None
    except (OSError, ValueError):
        return None
    return url if is_local else None


def write_private(path: Path, text: str) -> None:
    """Writes atomically, with permissions for the owner only. Raises WrongUse."""
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        raise WrongUse(f"cannot write {path}: {error.strerror}") from error


def _open_locks(path: Path) -> tuple[int, int]:
    """File descriptors of the lock of `up` and of its children."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (path / "logs", path / "valkey"):
            folder.mkdir(mode=0o700, exist_ok=True)
        return _open(path / "lock"), _open(path / "children.lock")
    except OSError as error:
        raise WrongUse(f"cannot write the data folder {path}: {error.strerror}") from error


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
