"""`topicflow keys`: the API's own command, run where its database is; no route makes keys."""

import typer

from topicflow.commands.beside_the_database import run_module


def keys(context: typer.Context) -> None:
    """Make, list and revoke API keys, where the API's database is (TOPICFLOW_DATABASE_URL, TOPICFLOW_DATA)."""
    run_module("api.keys", context.args)
