"""Commands that need broker or database run as the API's own modules: this one holds neither."""

import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer


def run_module(name: str, arguments: Sequence[str]) -> NoReturn:
    """Ends with its exit code. Ctrl-C reaches both, and what the module says to it counts."""
    with subprocess.Popen([sys.executable, "-m", name, *arguments]) as process:  # noqa: S603
        while True:
            try:
                raise typer.Exit(process.wait())
            except KeyboardInterrupt:
                continue
