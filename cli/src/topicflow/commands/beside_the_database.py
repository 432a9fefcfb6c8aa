"""Commands that need broker or database run as the API's own modules: this one holds neither."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

import typer


def run_module(name: str, arguments: Sequence[str], settings: Mapping[str, str] = MappingProxyType({})) -> NoReturn:
    """Ends with its exit code. Ctrl-C reaches both, and what the module says to it counts."""
    told = os.environ | dict(settings)
    with subprocess.Popen([sys.executable, "-m", name, *arguments], env=told) as process:  # noqa: S603
        while True:
            try:
                raise typer.Exit(process.wait())
            except KeyboardInterrupt:
                continue
