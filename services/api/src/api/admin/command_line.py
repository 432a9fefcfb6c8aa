"""What commands beside the database have in common: `keys`, `provision`."""

import argparse
import sys
from collections.abc import Callable

from shared.settings import without_secrets

FAILED, UNREACHABLE, INTERRUPTED = 1, 3, 130


def number(least: int, most: int) -> Callable[[str], int]:
    """An argument's type."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return read


def where_it_is(database_url: str) -> str:
    return f"{without_secrets(database_url)}; TOPICFLOW_DATABASE_URL or TOPICFLOW_DATA says where it is"


def show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def refuse(why: object, code: int) -> int:
    """One line on standard error, and the exit code."""
    sys.stderr.write(f"topicflow: {' '.join(str(why).split())}\n")
    return code
