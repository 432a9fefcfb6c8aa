"""Local mode's folder: who holds it, where its files are, and the url that the other commands find there."""

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
LEFTOVERS_END_WITHIN = 20.0  # seconds; longer than a child is given to stop


@dataclass(frozen=True, slots=True)
class DataFolder:
    path: Path  # absolute
    held_by_children: int  # a locked descriptor: every child inherits it, so the lock outlives a killed `up`

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
    def remembering(self, url: str) -> Iterator[None]:
        """While this runs, other commands find the url."""
        write_private(self.path / "url", url + "\n")
        try:
            yield
        finally:
            (self.path / "url").unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def held(path: Path, say: Callable[[str], None]) -> AsyncIterator[DataFolder]:
    """Makes the folder, an absolute path, where it is missing and holds it.

    Raises WrongUse where it cannot be written, InUse where another `up` holds it or an earlier one's children live on.
    """
    own_lock, children_lock = _opened(path)
    try:
        if not _locks(own_lock):
            url = remembered_url(path)
            raise InUse(f"topicflow is already running on {path}" + (f", at {url}" if url else ""))
        await _wait_for_leftovers(children_lock, path, say)
        yield DataFolder(path, children_lock)
    finally:
        os.close(children_lock)
        os.close(own_lock)


async def _wait_for_leftovers(lock: int, path: Path, say: Callable[[str], None]) -> None:
    """After a `kill -9` of `up` its children end a moment later: Valkey must not run twice on one file."""
    if _locks(lock):
        return
    say("Waiting for the processes of an earlier run to end …")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LEFTOVERS_END_WITHIN):
            while True:
                await asyncio.sleep(0.1)
                if _locks(lock):
                    return
    raise InUse(f"processes of an earlier run on {path} do not end: stop them first")


def remembered_url(path: Path) -> str | None:
    """The url of the `up` that runs on this folder; only this machine's, as a folder may come from anybody."""
    try:
        url = (path / "url").read_text().strip()
        address = urlsplit(url)
        is_local = address.scheme == "http" and address.hostname == "127.0.0.1" and address.port is not None
    except (OSError, ValueError):
        return None
    return url if is_local else None


def write_private(path: Path, text: str) -> None:
    """Written whole or not at all, readable by its owner only. Raises WrongUse where that cannot be."""
    unfinished = path.with_name(path.name + ".new")
    try:
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        unfinished.replace(path)
    except OSError as error:
        raise WrongUse(f"cannot write {path}: {error.strerror}") from error


def _opened(path: Path) -> tuple[int, int]:
    """The lock of `up` and the lock of its children."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (path / "logs", path / "valkey"):
            folder.mkdir(mode=0o700, exist_ok=True)
        return _open(path / "lock"), _open(path / "children.lock")
    except OSError as error:
        raise WrongUse(f"cannot write the data folder {path}: {error.strerror}") from error


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
