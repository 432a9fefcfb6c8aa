"""Shared by the commands `keys` and `provision`."""

from typing import Annotated

import typer

from shared.settings import without_secrets

FAILED, UNREACHABLE, INTERRUPTED = 1, 3, 130
JsonOption = Annotated[bool, typer.Option("--json", help="JSON output, for scripts.")]


def where_it_is(database_url: str) -> str:
    return f"{without_secrets(database_url)}; check TOPICFLOW_DATABASE_URL or TOPICFLOW_DATA"


def refused(reason: object, code: int) -> typer.Exit:
    """Prints one line on standard error. To be raised."""
    typer.echo(f"topicflow: {' '.join(str(reason).split())}", err=True)
    return typer.Exit(code)
