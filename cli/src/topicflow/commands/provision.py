"""`topicflow provision`: the API's own command, run where broker and database can be reached."""

import os
from pathlib import Path

import typer

from topicflow.commands.beside_the_database import run_module
from topicflow.local_mode import chosen, data_folder, valkey


def provision(context: typer.Context) -> None:
    """Make or check streams, consumer groups and database tables; add partitions; get a lost group going again.

    Broker and database are those of TOPICFLOW_BROKER_URL and TOPICFLOW_DATABASE_URL, or of this folder's `up`.
    """
    run_module("api.provision", context.args, _of_this_folder())


def _of_this_folder() -> dict[str, str]:
    folder = Path(os.environ.get("TOPICFLOW_DATA") or data_folder.DEFAULT)
    url = None if chosen.names_a_broker(os.environ) else valkey.remembered_url(folder / "valkey")
    return {chosen.BROKER_URL: url} if url else {}
