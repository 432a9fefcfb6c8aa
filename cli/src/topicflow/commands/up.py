"""`topicflow up`: its arguments."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from topicflow.local_mode import chosen, ports
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
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, metavar="N", help="How many topic-workers; 1 without it.")
    ] = 1,
    broker_url: Annotated[
        str | None,
        typer.Option(
            "--broker-url",
            metavar="URL",
            help="A broker that is there already: kafka://host:port,host:port, redis:// or rediss://. Without it: "
            "TOPICFLOW_BROKER_URL, or REDIS_HOST and REDIS_PORT, or a Valkey of its own. Others on this machine can "
            "read options; a URL with a password is better in the environment, or in the file that "
            "TOPICFLOW_BROKER_URL_FILE names.",
        ),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            metavar="URL",
            help="A database: postgresql://user:password@host:port/database or sqlite:///path. Without it: "
            "TOPICFLOW_DATABASE_URL (or its _FILE), or SQLite in the data folder.",
        ),
    ] = None,
    submit: Annotated[
        Path | None,
        typer.Option("--submit", metavar="FILE", help="Submit the titles in this file, one a line, once it is ready."),
    ] = None,
) -> None:
    """Start everything that is missing on this machine and keep it running until Ctrl-C.

    Without a Gemini key (GEMINI_API_KEY) a stand-in writes the cards, and says so on each of them.
    """
    chosen.prefer(chosen.BROKER_URL, broker_url)
    chosen.prefer(chosen.DATABASE_URL, database_url)
    local_mode = Up(
        port=port or ports.default_port(os.environ.get("TOPICFLOW_PORT")),
        data=(data or Path(os.environ.get("TOPICFLOW_DATA") or DEFAULT)).absolute(),
        titles=titles_from_file(submit) if submit else (),
        workers=workers,
        broker=chosen.broker(),
        database=chosen.database(),
        environment=dict(os.environ),
        display=display_on(console_for()),
    )
    asyncio.run(local_mode.run())
