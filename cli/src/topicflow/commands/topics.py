"""`topicflow topics list|show|retry`: their arguments and what they print."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from topicflow.options import JsonOption, TopicArgument, UrlOption, api_at
from topicflow.screen.display import console_for
from topicflow.screen.plain_text import one_line
from topicflow.screen.topic_card import topic_card
from topicflow.topics import list_topics, retry_topic, show_topic, topics_table, total_line

app = typer.Typer(no_args_is_help=True, help="Look at topics and run failed ones again.")


class Status(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@app.command("list")
def list_command(
    status: Annotated[Status | None, typer.Option("--status", help="Only those that stand here.")] = None,
    search: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="Only those that contain this text.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")] = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List topics, the newest first."""

    async def command() -> None:
        async with api_at(url) as api:
            answer, text = await list_topics(api, status=status, search=search, limit=limit)
        if as_json:
            typer.echo(text)
            return
        if answer["topics"]:
            console_for().print(topics_table(answer))
        typer.echo(total_line(answer))

    asyncio.run(command())


@app.command("show")
def show_command(topic: TopicArgument, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show one topic with its study card."""

    async def command() -> None:
        async with api_at(url) as api:
            answer, text = await show_topic(api, topic)
        if as_json:
            typer.echo(text)
        else:
            console_for().print(topic_card(answer))

    asyncio.run(command())


@app.command("retry")
def retry_command(
    topic: TopicArgument,
    force: Annotated[bool, typer.Option("--force", help="Also one that has not failed.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Queue a failed topic again: its next attempt."""

    async def command() -> None:
        async with api_at(url) as api:
            answer, text = await retry_topic(api, topic, force=force)
        typer.echo(text if as_json else f"{one_line(answer['title'])} is queued again (attempt {answer['attempt']})")

    asyncio.run(command())
