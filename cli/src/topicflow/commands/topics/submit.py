"""`topicflow submit`: submits titles; --wait follows them until they have ended."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated

import typer

from local_processes.plain_text import one_line
from topicflow.actions.submit import SubmitResult, submit
from topicflow.actions.titles import titles_from
from topicflow.actions.wait_for_topics import Follower
from topicflow.client.api import ApiClient
from topicflow.errors import CommandError, Failed, Interrupted
from topicflow.options import JsonOption, UrlOption, api_at
from topicflow.views.display import console_for, display_on
from topicflow.views.sending import Sending

PATIENCE = 60.0  # seconds that --wait tolerates an API that does not answer
MAX_FAILURES_SHOWN = 10

TitlesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="TITLE",
        help="Titles, or a file with one title per line (blank lines and # comments are skipped), or - for stdin.",
    ),
]


def submit_titles(
    titles: TitlesArgument,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until every topic has ended; exit with 1 if one failed.")
    ] = False,
    as_json: JsonOption = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also submit topics that are completed or in progress, as their next attempt."),
    ] = False,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size", min=1, max=5, metavar="N", help="Maximum number of titles per Gemini call (1 to 5)."
        ),
    ] = None,
    url: UrlOption = None,
) -> None:
    """Submit titles to generate study cards for.

    Submitting a title again is safe: it is recognized as the same topic.

    While the API refuses work because its backlog is full, the command waits up to 10 minutes at a time.
    """

    asyncio.run(_submit(titles_from(titles), url, force, batch_size, wait=wait, as_json=as_json))


async def _submit(
    titles: Sequence[str], url: str | None, force: bool, batch_size: int | None, *, wait: bool, as_json: bool
) -> None:
    async with api_at(url) as api:
        submitted = await _send(api, titles, force, batch_size)
        if not as_json:
            typer.echo(submitted.line)
        elif not wait:
            typer.echo(submitted.text)
        if wait:
            await _wait(api, submitted, as_json=as_json)


async def _send(api: ApiClient, titles: Sequence[str], force: bool, batch_size: int | None) -> SubmitResult:
    """Progress is printed to stderr."""
    with display_on(console_for(stderr=True)) as display:
        sending = Sending(len(titles), "titles", lambda now: display.show(now.view, now.full_line))
        try:
            return await submit(api, titles, sending, force=force, batch_size=batch_size)
        except asyncio.CancelledError as interruption:
            hint = "submitted titles are still processed, see `topicflow status`"
            raise Interrupted(f"interrupted at {sending.position}; {hint}") from interruption


async def _wait(api: ApiClient, submitted: SubmitResult, *, as_json: bool) -> None:
    """Progress is printed to stderr, the result to stdout. Raises Failed if a topic failed."""
    follower = Follower(api, submitted.answer.get("topics", ()))
    progress = None
    try:
        with display_on(console_for(stderr=True)) as display:
            async for progress in follower.polls(PATIENCE):
                display.show(progress.view, progress.full_line)
    except asyncio.CancelledError as interruption:
        reached = f" at {progress.line}" if progress else ""
        raise Interrupted(f"interrupted{reached}; the work continues, see `topicflow status`") from interruption
    except CommandError as error:
        raise type(error)(f"{error}; submitted titles are still processed") from error
    if as_json:
        typer.echo(json.dumps({**submitted.answer, "topics": list(follower.states.values())}, ensure_ascii=False))
    elif progress:
        typer.echo(progress.line)
    if follower.failures:
        raise Failed(_failure_lines(follower))


def _failure_lines(follower: Follower) -> str:
    failures = follower.failures
    lines = [
        f"failed: {one_line(topic['title'])}: {one_line(topic.get('error_message') or 'unknown')}" for topic in failures
    ]
    more = len(lines) - MAX_FAILURES_SHOWN
    return "\n".join(
        [
            *lines[:MAX_FAILURES_SHOWN],
            *([f"… and {more} more: topicflow topics list --status failed"] if more > 0 else []),
        ]
    )
