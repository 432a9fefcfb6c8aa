"""`topicflow submit`: submits titles; --wait follows them until they have ended."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from topicflow.actions.follow_topics import FollowedTopics
from topicflow.actions.submit import SubmitResult, submit
from topicflow.actions.titles import titles_from
from topicflow.client import AsyncClient
from topicflow.client.follow import PATIENCE
from topicflow.client.following.patience import Patience
from topicflow.client.reading import read_each
from topicflow.errors import CommandError, Failed, Interrupted
from topicflow.options import JsonOption, UrlOption, api_at
from topicflow.views.display import console_for, display_on
from topicflow.views.sending import Sending

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


async def _send(api: AsyncClient, titles: Sequence[str], force: bool, batch_size: int | None) -> SubmitResult:
    """Progress is printed to stderr."""
    with display_on(console_for(stderr=True)) as display:
        sending = Sending(len(titles), "titles", lambda now: display.show(now.view, now.full_line))
        try:
            return await submit(api, titles, sending, force=force, batch_size=batch_size)
        except asyncio.CancelledError as interruption:
            hint = "submitted titles are still processed, see `topicflow status`"
            raise Interrupted(f"interrupted at {sending.position}; {hint}") from interruption


async def _wait(api: AsyncClient, submitted: SubmitResult, *, as_json: bool) -> None:
    """Progress is printed to stderr, the result to stdout. Raises Failed if a topic failed."""
    followed = FollowedTopics(api, submitted.topics)
    progress = None
    try:
        with display_on(console_for(stderr=True)) as display:
            async for progress in followed.progress(PATIENCE):
                display.show(progress.view, progress.full_line)
            answer = await _final_answer(api, submitted) if as_json else None
    except asyncio.CancelledError as interruption:
        reached = f" at {progress.line}" if progress else ""
        raise Interrupted(f"interrupted{reached}; the work continues, see `topicflow status`") from interruption
    except CommandError as error:
        raise type(error)(f"{error}; submitted titles are still processed") from error
    if answer:
        typer.echo(json.dumps(answer, ensure_ascii=False))
    elif progress:
        typer.echo(progress.line)
    if followed.failures:
        more = len(followed.failures) - MAX_FAILURES_SHOWN
        hint = [f"… and {more} more: topicflow topics list --status failed"] if more > 0 else []
        raise Failed("\n".join([*followed.failure_lines(MAX_FAILURES_SHOWN), *hint]))


async def _final_answer(api: AsyncClient, submitted: SubmitResult) -> dict[str, Any]:
    """The route's response with each topic as it is now, with its card."""
    topics = await read_each(api, [topic.path for topic in submitted.topics], Patience(PATIENCE))
    rows = zip(submitted.answer.get("topics", ()), topics, strict=True)
    return {**submitted.answer, "topics": [topic or before | {"status": "removed"} for before, topic in rows]}
