"""`topicflow import`: imports topics from an old system's SQLite file, or articles from its Redis set."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, Protocol

import typer

from local_processes.plain_text import one_line
from topicflow.client.api import ApiClient
from topicflow.errors import CommandError, Failed, Interrupted
from topicflow.migration.totals import ARTICLES, TOPICS, MigrationResult, OldRecords
from topicflow.options import JsonOption, UrlOption, api_at
from topicflow.views.display import console_for, display_on
from topicflow.views.sending import Sending

if TYPE_CHECKING:
    from topicflow.migration.old_articles import OldArticles
    from topicflow.migration.old_system import OldSystem

MAX_LEFT_OUT_SHOWN = 10
RUN_AGAIN = "completed work is kept; run the same command again to continue"


class Import(Protocol):
    def __call__(self, api: ApiClient, *, result: MigrationResult, sending: Sending) -> Awaitable[None]: ...


class Source(NamedTuple):
    kind: OldRecords
    old: "OldSystem | OldArticles"
    run: Import


def import_old(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE.db|redis://HOST/0|FILE",
            help="For topics: the old system's SQLite file. For articles: the URL of the Redis that holds "
            "enrichment:processed, or a file with one URN per line. The source is only read.",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would happen without changing anything.")
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Import topics or articles from an old system.

    Completed topics keep their card and number; failed and pending ones are queued.
    Articles that were enriched count as enriched. Nothing is paid for twice.

    Running it again changes nothing.
    """
    result = asyncio.run(_import(source, dry_run, url))
    if as_json:
        typer.echo(json.dumps(result.answer, ensure_ascii=False))
    else:
        typer.echo(f"dry run, nothing was changed; would be: {result.line}" if dry_run else result.line)
        for reason, count in result.reasons.most_common():
            typer.echo(f"  skipped: {count:,} {one_line(reason)}")
    if result.left_out:
        raise Failed(_left_out_lines(result.left_out))


async def _import(source: str, dry_run: bool, url: str | None) -> MigrationResult:
    """Progress is printed to stderr."""
    async with _open_source(source) as (kind, old, run):
        with display_on(console_for(stderr=True)) as display:
            result = MigrationResult(dry_run, kind)
            sending = Sending(old.count, kind.collection, lambda now: display.show(now.view, now.full_line))
            try:
                async with api_at(url) as api:
                    await run(api, result=result, sending=sending)
            except asyncio.CancelledError as interruption:
                raise Interrupted(f"interrupted at {sending.position}; {RUN_AGAIN}") from interruption
            except CommandError as error:
                if sending.sent:
                    raise type(error)(f"{error}; that was after {sending.position}: {RUN_AGAIN}") from error
                raise
    return result


@asynccontextmanager
async def _open_source(source: str) -> AsyncIterator[Source]:
    """A source that is neither a URL nor a list is opened as SQLite, so that errors say what a SQLite file needs."""
    from topicflow.migration import (  # here, because pydantic takes longer to load than all the rest
        old_articles,
        old_system,
    )
    from topicflow.migration.articles import import_articles
    from topicflow.migration.topics import import_topics

    if old_articles.is_redis(source) or old_articles.is_list(Path(source)):
        async with old_articles.open_articles(source) as articles:
            yield Source(ARTICLES, articles, partial(import_articles, old=articles))
    else:
        with old_system.open_old_system(Path(source)) as topics:
            yield Source(TOPICS, topics, partial(import_topics, old=topics))


def _left_out_lines(left_out: list[tuple[str, str]]) -> str:
    lines = [f"left out: {one_line(name)[:80]!r}: {reason}" for name, reason in left_out]
    more = len(lines) - MAX_LEFT_OUT_SHOWN
    return "\n".join([*lines[:MAX_LEFT_OUT_SHOWN], *([f"… and {more:,} more"] if more > 0 else [])])
