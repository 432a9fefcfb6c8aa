"""`topicflow stats`: totals over all topics."""

import typer

from topicflow.options import JsonOption, UrlOption, answer_from
from topicflow.views.display import console_for
from topicflow.views.totals_view import stats_view


def stats(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show success rate, average duration and the most frequent categories."""
    answer = answer_from(url, lambda api: api.get("/stats"))
    if as_json:
        typer.echo(answer.text)
    else:
        console_for().print(stats_view(answer.content))
