"""`topicflow provision`: a module of the API, run where broker and database can be reached."""

import os
from pathlib import Path

import typer

from topicflow.commands.admin.run_admin import run_admin
from topicflow.local_mode import data_folder, external_services, valkey


def provision(context: typer.Context) -> None:
    """Create or check streams, consumer groups and database tables; add partitions; recover a lost group.

    Uses TOPICFLOW_BROKER_URL and TOPICFLOW_DATABASE_URL, or the instance running in this folder.
    """
    run_admin(["provision", *context.args], _of_this_folder())


def _of_this_folder() -> dict[str, str]:
    folder = Path(os.environ.get("TOPICFLOW_DATA") or data_folder.DEFAULT)
    url = None if external_services.has_broker(os.environ) else valkey.last_url(folder / "valkey")
    return {external_services.BROKER_URL: url} if url else {}
