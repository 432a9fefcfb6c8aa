"""The command line `topicflow`, and the one place where an error becomes a line on stderr and an exit code."""

import io
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from topicflow.commands.admin.import_old import import_old
from topicflow.commands.admin.keys import keys
from topicflow.commands.admin.provision import provision
from topicflow.commands.articles import app as articles_commands
from topicflow.commands.local.up import up
from topicflow.commands.operations.stats import stats
from topicflow.commands.operations.status import status
from topicflow.commands.operations.usage import usage
from topicflow.commands.topics import app as topics_commands
from topicflow.commands.topics.submit import submit_titles
from topicflow.errors import CommandError

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 success, 1 something failed, 2 usage or setting error, 3 unreachable or in use, "
    "4 not allowed, 130 interrupted.",
)
app.command("up")(up)
app.command("submit")(submit_titles)
app.command("status")(status)
app.command("stats")(stats)
app.command("usage")(usage)
app.command("import")(import_old)
app.add_typer(topics_commands.app, name="topics")
app.add_typer(articles_commands.app, name="articles")
for name, command in (("keys", keys), ("provision", provision)):
    app.command(
        name,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(command)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"topicflow {version('topicflow')}")
        raise typer.Exit


@app.callback()
def topicflow(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Submit topic titles and articles to Gemini, and see the status of every submission."""


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no title can break the output
    try:
        app()
    except CommandError as error:
        typer.echo(f"topicflow: {error}", err=True)
        sys.exit(error.exit_code)
