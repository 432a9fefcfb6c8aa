"""`topicflow topics retry|retry-failed|delete|cleanup`: starts the next attempt, or deletes topics."""

import asyncio
from typing import Annotated, Any

import typer

from local_processes.plain_text import one_line
from topicflow.actions.topics import answer_about, no_topic
from topicflow.client.api import answer_of
from topicflow.client.topics import topic_path
from topicflow.errors import Failed, NotFound
from topicflow.options import JsonOption, TopicArgument, UrlOption, answer_from, api_at
from topicflow.views.confirmation import YesOption, confirm

OlderThanOption = Annotated[
    float | None,
    typer.Option("--older-than", min=0, metavar="HOURS", help="Only topics that failed more than HOURS ago."),
]
TopicArguments = Annotated[list[str], typer.Argument(metavar="ID", help="Ids, or titles as submitted.")]


def retry(
    topic: TopicArgument,
    force: Annotated[bool, typer.Option("--force", help="Retry the topic even if it has not failed.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Queue a failed topic again, as its next attempt."""
    body = {"force": True} if force else {}
    answer, text = answer_about(topic, url, lambda api, path: api.post(path + "/retry", body))
    typer.echo(text if as_json else f"{one_line(answer['title'])} is queued again (attempt {answer['attempt']})")


def retry_failed(
    error_contains: Annotated[
        str | None, typer.Option("--error-contains", metavar="TEXT", help="Only topics whose error contains this text.")
    ] = None,
    older_than: OlderThanOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Queue all failed topics again, or those that match."""
    body = _filters(error_contains=error_contains, older_than_hours=older_than)
    answer, text = answer_from(url, lambda api: api.post_at_length("/topics/retry-failed", body))
    typer.echo(text if as_json else f"{_topics(answer['count'])} queued again")


def delete(topics: TopicArguments, yes: YesOption = False, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Delete topics permanently.

    Asks for confirmation; without a terminal, --yes is required.
    """
    confirm(f"Delete {one_line(topics[0])!r}?" if len(topics) == 1 else f"Delete {len(topics)} topics?", yes)
    if absent := asyncio.run(_delete(topics, url, as_json=as_json)):
        raise Failed("\n".join(absent))


def clean_up(
    older_than: OlderThanOption = None, yes: YesOption = False, as_json: JsonOption = False, url: UrlOption = None
) -> None:
    """Delete all failed topics, or those that failed some time ago.

    Asks for confirmation; without a terminal, --yes is required.
    """
    confirm(f"Delete all topics that failed{f' more than {older_than:g} h ago' if older_than else ''}?", yes)
    body = _filters(older_than_hours=older_than)
    answer, text = answer_from(url, lambda api: api.post_at_length("/cleanup-failed", body))
    typer.echo(text if as_json else one_line(answer["message"]))


async def _delete(topics: list[str], url: str | None, *, as_json: bool) -> list[str]:
    """Prints each deletion; returns a message for each topic that does not exist."""
    absent = []
    async with api_at(url) as api:
        for topic in topics:
            try:
                response = await api.delete(topic_path(topic))
            except NotFound:
                absent.append(no_topic(topic))
            else:
                typer.echo(response.text if as_json else one_line(answer_of(response)["message"]))
    return absent


def _filters(**filters: str | float | None) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}


def _topics(count: int) -> str:
    return f"{count:,} failed {'topic is' if count == 1 else 'topics are'}"
