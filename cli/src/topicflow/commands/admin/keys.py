"""`topicflow keys`: a module of the API, run next to its database; no HTTP route creates keys."""

import typer

from topicflow.commands.admin.run_admin import run_admin


def keys(context: typer.Context) -> None:
    """Create, list and revoke API keys in the API's database (TOPICFLOW_DATABASE_URL, TOPICFLOW_DATA)."""
    run_admin(["keys", *context.args])
