"""`topicflow topics show|history`: one topic with its card, and its history."""

from typing import Annotated

import typer

from topicflow.actions.topics import answer_about
from topicflow.options import JsonOption, TopicArgument, UrlOption
from topicflow.views.display import console_for
from topicflow.views.history_table import history_table
from topicflow.views.topic_card import topic_card

MAX_EVENTS = 1000  # in one answer


def show(topic: TopicArgument, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show one topic with its study card."""
    answer = answer_about(topic, url, lambda api, path: api.get(path))
    if as_json:
        typer.echo(answer.text)
    else:
        console_for().print(topic_card(answer.content))


def history(
    topic: TopicArgument,
    limit: Annotated[
        int,
        typer.Option("--limit", min=1, max=MAX_EVENTS, metavar="N", help="Maximum number of events, newest first."),
    ] = 200,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Show the history of one topic: attempts, workers, tokens and cost."""
    answer = answer_about(topic, url, lambda api, path: api.get(path + "/history", limit=limit))
    if as_json:
        typer.echo(answer.text)
        return
    console_for().print(history_table(answer.content["events"]))
    if not answer.content["is_complete"]:
        typer.echo(f"older events are not shown (raise --limit, up to {MAX_EVENTS})")
