"""Reads titles from arguments, a file or stdin, and validates them before anything is sent."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from local_processes.plain_text import one_line
from shared.text.titles import checked_title
from topicflow.errors import WrongUse

_LOOKS_LIKE_A_FILE = ("./", "../", "/", "~")


def titles_from(arguments: Sequence[str]) -> list[str]:
    """A single argument may be `-` (stdin) or a file with one title per line; otherwise each argument is a title."""
    if list(arguments) == ["-"]:
        return _validated(_from_lines(sys.stdin), "stdin")
    if len(arguments) == 1 and (path := _file(arguments[0])):
        return titles_from_file(path)
    return _validated(arguments, "the arguments")


def titles_from_file(path: Path) -> list[str]:
    """One title per line; blank lines and lines that start with # are skipped."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongUse(f"{path} is not UTF-8 text") from error
    except OSError as error:
        raise WrongUse(f"cannot read {path}: {error.strerror}") from error
    return _validated(_from_lines(text.splitlines()), str(path))


def _file(argument: str) -> Path | None:
    """The path, if it exists or can only be meant as a file ("TCP/IP" is a title)."""
    path = Path(argument).expanduser()
    looks_like_one = argument.startswith(_LOOKS_LIKE_A_FILE) or argument.endswith(".txt")
    try:
        return path if looks_like_one or path.is_file() else None
    except OSError:  # longer than any file name
        return None


def _from_lines(lines: Iterable[str]) -> list[str]:
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]


def _validated(titles: Sequence[str], source: str) -> list[str]:
    if not titles:
        raise WrongUse(f"no titles in {source}")
    return [_checked(title, number) for number, title in enumerate(titles, start=1)]


def _checked(title: str, number: int) -> str:
    try:
        return checked_title(title)
    except ValueError as error:
        shown = f" ({one_line(title[:60])})" if title.strip() else ""
        raise WrongUse(f"title {number}{shown}: {error}") from error
