"""`topicflow keys`: the API's own command, run where its database is; no route makes keys."""

import subprocess
import sys

import typer


def keys(context: typer.Context) -> None:
    """Make, list and revoke API keys, where the API's database is (TOPICFLOW_DATABASE_URL, TOPICFLOW_DATA)."""
    ended = subprocess.run([sys.executable, "-m", "api.keys", *context.args], check=False)  # noqa: S603
    raise typer.Exit(ended.returncode)
