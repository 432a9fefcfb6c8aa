"""`topicflow usage`: Gemini spend per day, including wasted calls."""

from typing import Annotated

import typer

from topicflow.options import JsonOption, UrlOption, answer_from
from topicflow.views.display import console_for
from topicflow.views.usage_table import usage_table


def usage(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="Number of days, including today.")] = 30,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Show Gemini spend per day and model, including wasted calls."""
    answer = answer_from(url, lambda api: api.get("/usage", days=days))
    if as_json:
        typer.echo(answer.text)
    else:
        console_for().print(usage_table(answer.content))
