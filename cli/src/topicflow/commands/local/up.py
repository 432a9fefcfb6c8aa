"""`topicflow up`: its arguments."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from local_processes import ports
from topicflow.actions.titles import titles_from_file
from topicflow.local_mode import external_services
from topicflow.local_mode.data_folder import DEFAULT
from topicflow.local_mode.up import Up
from topicflow.views.display import console_for, display_on

PortOption = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, metavar="PORT", help="API port. Default: $TOPICFLOW_PORT, or 8000."),
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help=f"Data folder. Default: $TOPICFLOW_DATA, or {DEFAULT}."),
]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=1, max=64, metavar="N", help="Number of topic-workers. Default: 1.")
]
BrokerUrlOption = Annotated[
    str | None,
    typer.Option(
        "--broker-url",
        metavar="URL",
        help="An existing broker: kafka://host:port,host:port, redis:// or rediss://. Default: "
        "$TOPICFLOW_BROKER_URL, then $REDIS_HOST and $REDIS_PORT, then a Valkey started here. Other users of this "
        "machine can read options: put a URL with a password into the environment, or into the file named by "
        "TOPICFLOW_BROKER_URL_FILE.",
    ),
]
DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="An existing database: postgresql://user:password@host:port/database or sqlite:///path. Default: "
        "$TOPICFLOW_DATABASE_URL (or its _FILE), or SQLite in the data folder.",
    ),
]
SubmitOption = Annotated[
    Path | None,
    typer.Option("--submit", metavar="FILE", help="Once ready, submit the titles in FILE, one per line."),
]


def up(
    port: PortOption = None,
    data: DataOption = None,
    workers: WorkersOption = 1,
    broker_url: BrokerUrlOption = None,
    database_url: DatabaseUrlOption = None,
    submit: SubmitOption = None,
) -> None:
    """Run topicflow on this machine until Ctrl-C, starting whatever is missing.

    Without GEMINI_API_KEY a simulator generates the cards, and every card says so.
    """
    external_services.override(external_services.BROKER_URL, broker_url)
    external_services.override(external_services.DATABASE_URL, database_url)
    local_mode = Up(
        port=port or ports.default_port(os.environ.get("TOPICFLOW_PORT")),
        data=(data or Path(os.environ.get("TOPICFLOW_DATA") or DEFAULT)).absolute(),
        titles=titles_from_file(submit) if submit else (),
        workers=workers,
        broker=external_services.broker(),
        database=external_services.database(),
        environment=dict(os.environ),
        display=display_on(console_for()),
    )
    asyncio.run(local_mode.run())
