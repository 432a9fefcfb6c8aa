"""`topicflow provision`: the API's own command, run where broker and database can be reached."""

import typer

from topicflow.commands.beside_the_database import run_module


def provision(context: typer.Context) -> None:
    """Make or check streams, consumer groups and database tables; add partitions; get a lost group going again.

    Broker and database are those of TOPICFLOW_BROKER_URL and TOPICFLOW_DATABASE_URL.
    """
    run_module("api.provision", context.args)
