"""`topicflow up`: its arguments."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from topicflow.local_mode import ports
from topicflow.local_mode.data_folder import DEFAULT
from topicflow.local_mode.up import Up
from topicflow.screen.display import console_for, display_on
from topicflow.titles import titles_from_file


def up(
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=1, max=65535, metavar="PORT", help="The API's port. Without it: TOPICFLOW_PORT, or 8000."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help=f"Where everything is kept. Without it: TOPICFLOW_DATA, or {DEFAULT}."
        ),
    ] = None,
    submit: Annotated[
        Path | None,
        typer.Option("--submit", metavar="FILE", help="Submit the titles in this file, one a line, once it is ready."),
    ] = None,
) -> None:
    """Start everything on this machine and keep it running until Ctrl-C.

    Without a Gemini key (GEMINI_API_KEY) a stand-in writes the cards, and says so on each of them.
    """
    local_mode = Up(
        port=port or ports.default_port(os.environ.get("TOPICFLOW_PORT")),
        data=(data or Path(os.environ.get("TOPICFLOW_DATA") or DEFAULT)).absolute(),
        titles=titles_from_file(submit) if submit else (),
        environment=dict(os.environ),
        display=display_on(console_for()),
    )
    asyncio.run(local_mode.run())
