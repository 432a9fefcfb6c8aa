"""`topicflow provision`: a module of the API, run where broker and database can be reached."""

import os
from pathlib import Path

import typer

from topicflow.commands.beside_the_database import run_module
from topicflow.local_mode import chosen, data_folder, valkey


def provision(context: typer.Context) -> None:
    """Create or check streams, consumer groups and database tables; add partitions; recover a lost group.

    Uses TOPICFLOW_BROKER_URL and TOPICFLOW_DATABASE_URL, or the instance running in this folder.
    """
    run_module("api.provision", context.args, _of_this_folder())


def _of_this_folder() -> dict[str, str]:
    folder = Path(os.environ.get("TOPICFLOW_DATA") or data_folder.DEFAULT)
    url = None if chosen.names_a_broker(os.environ) else valkey.remembered_url(folder / "valkey")
    return {chosen.BROKER_URL: url} if url else {}
