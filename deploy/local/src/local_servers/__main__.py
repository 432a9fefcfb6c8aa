"""The command line `python -m local_servers kafka|postgres`. Errors become a line on stderr and an exit code."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from local_processes.errors import CommandError
from local_servers import class_archive, foreground
from local_servers.kafka import Kafka
from local_servers.postgres import Postgres

app = typer.Typer(no_args_is_help=True, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})

Port = Annotated[int, typer.Option("--port", min=1, max=65534, metavar="PORT", help="On 127.0.0.1.")]
Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Data folder, kept between runs.")]


@app.command()
def kafka(port: Port = 9092, data: Data = Path(".topicflow/kafka")) -> None:
    """Run Kafka until Ctrl-C. Its controller uses the next port."""
    if not class_archive.exists():
        typer.echo("Downloading Kafka with Maven and preparing its start (only once) …", err=True)
    jvm = class_archive.jvm_options()
    foreground.run(Kafka(data.absolute(), port, port + 1, jvm=jvm), typer.echo)


@app.command()
def postgres(port: Port = 5432, data: Data = Path(".topicflow/postgres")) -> None:
    """Run PostgreSQL until Ctrl-C, with a role and a database `topicflow`."""
    foreground.run(Postgres(data.absolute(), port), typer.echo)


def main() -> None:
    try:
        app()
    except CommandError as error:
        typer.echo(f"local servers: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
