"""Runs commands that need the broker or the database as modules of the API: the CLI has access to neither."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

import typer


def run_admin(arguments: Sequence[str], settings: Mapping[str, str] = MappingProxyType({})) -> NoReturn:
    """Exits with the module's exit code. Ctrl-C reaches both processes; the module decides how to react."""
    environment = os.environ | dict(settings)
    with subprocess.Popen([sys.executable, "-m", "api.admin", *arguments], env=environment) as process:  # noqa: S603
        while True:
            try:
                raise typer.Exit(process.wait())
            except KeyboardInterrupt:
                continue
