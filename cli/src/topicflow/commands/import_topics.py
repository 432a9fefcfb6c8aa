"""`topicflow import`: brings over what the old system's SQLite file holds."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topicflow.errors import CommandError, Failed, Interrupted
from topicflow.options import JsonOption, UrlOption, api_at
from topicflow.screen.display import console_for, display_on
from topicflow.screen.plain_text import one_line
from topicflow.screen.sending import Sending

if TYPE_CHECKING:
    from topicflow.moving_in import Moved

LEFT_OUT_NAMED = 10
AGAIN = "what is done stays, and the same command goes on from there"


def import_topics(
    file: Annotated[Path, typer.Argument(metavar="FILE.db", help="The old system's SQLite file; it is only read.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of each topic.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Move in: bring over the topics of the old system.

    Completed ones keep their card and their number, nothing is paid for; failed and pending ones are queued.

    Doing it again changes nothing.
    """
    moved = asyncio.run(_import(file, dry_run, url))
    if as_json:
        typer.echo(json.dumps(moved.answer, ensure_ascii=False))
    else:
        typer.echo(f"dry run, nothing was changed; it would be {moved.line}" if dry_run else moved.line)
        for reason, count in moved.reasons.most_common():
            typer.echo(f"  skipped: {count:,} {one_line(reason)}")
    if moved.left_out:
        raise Failed(_named(moved.left_out))


async def _import(file: Path, dry_run: bool, url: str | None) -> "Moved":
    """Progress goes to stderr."""
    from topicflow.moving_in import Moved, move_in  # here, because pydantic takes longer to load than all the rest
    from topicflow.old_system import opened

    with opened(file) as old, display_on(console_for(stderr=True)) as display:
        moved = Moved(dry_run)
        sending = Sending(old.count, "topics", lambda now: display.show(now.picture, now.full_line))
        try:
            async with api_at(url) as api:
                await move_in(api, old, moved, sending)
        except asyncio.CancelledError as interruption:
            raise Interrupted(f"interrupted at {sending.place}; {AGAIN}") from interruption
        except CommandError as error:
            if sending.sent:
                raise type(error)(f"{error}; that was after {sending.place}: {AGAIN}") from error
            raise
    return moved


def _named(left_out: list[tuple[str, str]]) -> str:
    lines = [f"left out: {one_line(title)[:80]!r}: {reason}" for title, reason in left_out]
    more = len(lines) - LEFT_OUT_NAMED
    return "\n".join([*lines[:LEFT_OUT_NAMED], *([f"… and {more:,} more"] if more > 0 else [])])
