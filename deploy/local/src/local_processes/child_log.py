"""The log file of a child process, with rotation."""

from pathlib import Path
from typing import BinaryIO

from local_processes.errors import WrongUse

ROTATE_AT = 10 * 1024 * 1024  # bytes


class ChildLog:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0  # offset where the output of the current run begins

    def open(self) -> BinaryIO:
        """Opens the file for one run of the child, to append. Rotates a large one. Raises WrongUse."""
        try:
            if self.path.exists() and self.path.stat().st_size > ROTATE_AT:
                self.path.replace(self.path.with_name(self.path.name + ".1"))
            file = self.path.open("ab")
        except OSError as error:
            raise WrongUse(f"cannot write {self.path}: {error.strerror}") from error
        self._start = file.tell()
        return file

    def last_line(self) -> str:
        """The last line of the current run; empty if there is none."""
        with self.path.open("rb") as file:
            file.seek(self._start)
            lines = file.read()[-10_000:].decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
