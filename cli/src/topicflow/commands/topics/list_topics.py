"""`topicflow topics list|filters`: lists topics, and the values they can be filtered by."""

import asyncio
from enum import StrEnum
from typing import Annotated, Any

import typer

from topicflow.options import JsonOption, LimitOption, SearchOption, StatusOption, UrlOption, answer_from, api_at
from topicflow.views.display import console_for
from topicflow.views.pages import read_pages
from topicflow.views.submissions_table import submissions_table, total_line
from topicflow.views.totals_view import filters_view


class SortBy(StrEnum):
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    TITLE = "title"
    STATUS = "status"
    DIFFICULTY = "difficulty"


class SortOrder(StrEnum):
    ASC = "asc"
    DESC = "desc"


def _facet(option: str, name: str) -> Any:
    return typer.Option(option, metavar="VALUE", help=f"Filter by {name}.")


def list_topics(
    status: StatusOption = None,
    search: SearchOption = None,
    category: Annotated[str | None, _facet("--category", "category")] = None,
    subcategory: Annotated[str | None, _facet("--subcategory", "subcategory")] = None,
    company: Annotated[str | None, _facet("--company", "company")] = None,
    complexity: Annotated[str | None, _facet("--complexity", "complexity level")] = None,
    tag: Annotated[str | None, _facet("--tag", "tag")] = None,
    technology: Annotated[str | None, _facet("--technology", "technology")] = None,
    sort_by: Annotated[
        SortBy | None,
        typer.Option(
            "--sort-by", metavar="FIELD", help="created_at (default), updated_at, title, status or difficulty."
        ),
    ] = None,
    sort_order: Annotated[
        SortOrder | None, typer.Option("--sort-order", metavar="ORDER", help="desc (default) or asc.")
    ] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List topics, newest first.

    `topicflow topics filters` shows the values you can filter by.
    """
    query = {
        "status": status,
        "search": search,
        "category": category,
        "subcategory": subcategory,
        "company": company,
        "complexity": complexity,
        "tag": tag,
        "technology": technology,
        "sort_by": sort_by,
        "sort_order": sort_order,
    }

    async def command() -> None:
        async with api_at(url) as api:
            answer, text = await read_pages(api, "topics", query, limit)
        if as_json:
            typer.echo(text)
            return
        if answer["topics"]:
            console_for().print(submissions_table(answer["topics"]))
        typer.echo(total_line(answer, len(answer["topics"])))

    asyncio.run(command())


def filters(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show the values that `topics list` can filter by."""
    answer = answer_from(url, lambda api: api.get("/topics/filter-options"))
    if as_json:
        typer.echo(answer.text)
    elif view := filters_view(answer.content):
        console_for().print(view)
    else:
        typer.echo("no filters yet: no topic is completed")
