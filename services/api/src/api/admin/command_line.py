"""Shared by the commands `keys` and `provision`."""

import argparse
import sys
from collections.abc import Callable

from shared.settings import without_secrets

FAILED, UNREACHABLE, INTERRUPTED = 1, 3, 130


def number(least: int, most: int) -> Callable[[str], int]:
    """An argparse type: an integer in the range."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return read


def where_it_is(database_url: str) -> str:
    return f"{without_secrets(database_url)}; check TOPICFLOW_DATABASE_URL or TOPICFLOW_DATA"


def show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def refuse(reason: object, code: int) -> int:
    """Prints one line on standard error and returns the exit code."""
    sys.stderr.write(f"topicflow: {' '.join(str(reason).split())}\n")
    return code
