"""`topicflow topics …`: the commands about topics."""

import typer

from topicflow.commands.topics.list_topics import filters, list_topics
from topicflow.commands.topics.retry_and_delete import clean_up, delete, retry, retry_failed
from topicflow.commands.topics.show import history, show

app = typer.Typer(no_args_is_help=True, help="List, show, retry and delete topics.")
app.command("list")(list_topics)
app.command("filters")(filters)
app.command("show")(show)
app.command("history")(history)
app.command("retry")(retry)
app.command("retry-failed")(retry_failed)
app.command("delete")(delete)
app.command("cleanup")(clean_up)
