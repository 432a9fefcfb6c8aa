"""`topicflow usage`: what was paid, day by day, and how much of it in vain."""

from typing import Annotated

import typer

from topicflow.options import JsonOption, UrlOption, answer_from
from topicflow.screen.display import console_for
from topicflow.screen.usage_table import usage_picture


def usage(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How many days, today included.")] = 30,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Show what Gemini was paid by day and model, and how much of it in vain."""
    answer = answer_from(url, lambda api: api.get("/usage", days=days))
    if as_json:
        typer.echo(answer.text)
    else:
        console_for().print(usage_picture(answer.content))
