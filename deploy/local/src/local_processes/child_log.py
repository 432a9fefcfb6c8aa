"""Where a child's output goes: one file that is turned over when it has grown, and the last words in it."""

from pathlib import Path
from typing import BinaryIO

from local_processes.errors import WrongUse

TURN_OVER_AT = 10 * 1024 * 1024  # bytes


class ChildLog:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0  # where the latest life's output begins

    def open(self) -> BinaryIO:
        """For one life of the child: appends, in a new file when the old one is large. Raises WrongUse."""
        try:
            if self.path.exists() and self.path.stat().st_size > TURN_OVER_AT:
                self.path.replace(self.path.with_name(self.path.name + ".1"))
            file = self.path.open("ab")
        except OSError as error:
            raise WrongUse(f"cannot write {self.path}: {error.strerror}") from error
        self._start = file.tell()
        return file

    def last_line(self) -> str:
        """What the latest life said last; empty when it said nothing."""
        with self.path.open("rb") as file:
            file.seek(self._start)
            lines = file.read()[-10_000:].decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
