"""`topicflow topics list|filters`: which topics there are, and what they can be filtered by."""

import asyncio
from enum import StrEnum
from typing import Annotated, Any

import typer

from topicflow import topics
from topicflow.options import JsonOption, UrlOption, answer_from, api_at
from topicflow.screen.display import console_for
from topicflow.screen.topics_table import topics_table, total_line
from topicflow.screen.totals_picture import filters_picture


class Status(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class SortBy(StrEnum):
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    TITLE = "title"
    STATUS = "status"
    DIFFICULTY = "difficulty"


class SortOrder(StrEnum):
    ASC = "asc"
    DESC = "desc"


def _facet(option: str, whose: str) -> Any:
    return typer.Option(option, metavar="VALUE", help=f"Only {whose}.")


def list_topics(
    status: Annotated[
        Status | None,
        typer.Option("--status", metavar="STATUS", help="Only pending, processing, completed or failed ones."),
    ] = None,
    search: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="Only those that contain this text.")
    ] = None,
    category: Annotated[str | None, _facet("--category", "this category")] = None,
    subcategory: Annotated[str | None, _facet("--subcategory", "this subcategory")] = None,
    company: Annotated[str | None, _facet("--company", "this company")] = None,
    complexity: Annotated[str | None, _facet("--complexity", "this complexity level")] = None,
    tag: Annotated[str | None, _facet("--tag", "those with this tag")] = None,
    technology: Annotated[str | None, _facet("--technology", "those with this technology")] = None,
    sort_by: Annotated[
        SortBy | None,
        typer.Option(
            "--sort-by", metavar="FIELD", help="created_at (without it), updated_at, title, status or difficulty."
        ),
    ] = None,
    sort_order: Annotated[
        SortOrder | None, typer.Option("--sort-order", metavar="ORDER", help="desc (without it) or asc.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")] = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List topics, the newest first.

    `topicflow topics filters` shows the values that there are to filter by.
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
            answer, text = await topics.list_topics(api, query, limit)
        if as_json:
            typer.echo(text)
            return
        if answer["topics"]:
            console_for().print(topics_table(answer))
        typer.echo(total_line(answer))

    asyncio.run(command())


def filters(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show what `topics list` can filter by."""
    answer = answer_from(url, lambda api: api.get("/topics/filter-options"))
    if as_json:
        typer.echo(answer.text)
    elif picture := filters_picture(answer.content):
        console_for().print(picture)
    else:
        typer.echo("nothing yet: no topic is completed")
