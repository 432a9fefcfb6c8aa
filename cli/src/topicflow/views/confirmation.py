"""Asks a person before something is deleted; a script has to say --yes."""

import sys
from typing import Annotated

import typer

from topicflow.errors import Failed, Interrupted, WrongUse

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation prompt (required in scripts).")]


def confirmed(question: str, yes: bool) -> None:
    """Returns where it is to be done. Raises WrongUse where nobody can be asked, Failed on a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUse("without a terminal to ask on, --yes is needed; nothing was deleted")
    typer.echo(f"{question} [y/N] ", nl=False, err=True)
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt as interruption:
        typer.echo(err=True)
        raise Interrupted("interrupted; nothing was deleted") from interruption
    if answer.strip().casefold() not in {"y", "yes"}:
        raise Failed("nothing was deleted")
