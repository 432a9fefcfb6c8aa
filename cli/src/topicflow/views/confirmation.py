"""Asks for confirmation before a deletion; scripts must pass --yes."""

import sys
from typing import Annotated

import typer

from topicflow.errors import Failed, Interrupted, WrongUse

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation prompt (required in scripts).")]


def confirm(question: str, yes: bool) -> None:
    """Returns if the user agrees. Raises WrongUse without a terminal, Failed if the answer is not yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUse("without a terminal, --yes is required; nothing was deleted")
    typer.echo(f"{question} [y/N] ", nl=False, err=True)
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt as interruption:
        typer.echo(err=True)
        raise Interrupted("interrupted; nothing was deleted") from interruption
    if answer.strip().casefold() not in {"y", "yes"}:
        raise Failed("nothing was deleted")
