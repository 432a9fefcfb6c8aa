"""Renders lists of topics or articles: one line each, with untruncated names and ids."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from local_processes.plain_text import one_line
from topicflow.views.state_view import STYLES
from topicflow.views.times import local_time


def submissions_table(submissions: Iterable[dict[str, Any]], *, name_field: str = "title") -> Table:
    """`name_field`: the field with the name, `title` or `urn`."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Status", no_wrap=True)
    table.add_column(name_field.capitalize(), overflow="fold")
    table.add_column("Updated", no_wrap=True)
    table.add_column("Id", no_wrap=True, min_width=36)
    for submission in submissions:
        status = one_line(submission.get("status", ""))
        table.add_row(
            Text(status, style=STYLES.get(status, "")),
            Text(one_line(submission.get(name_field, ""))),
            Text(local_time(submission.get("updated_at")), style="dim"),
            Text(one_line(submission.get("id", "")), style="dim"),
        )
    return table


def total_line(answer: dict[str, Any], count: int) -> str:
    """`20 of 1,234`, or `20 of more than 10,000` if the API stopped counting there."""
    total = answer.get("total_count", 0)
    more = "more than " if answer.get("total_count_capped") else ""
    return f"{count:,} of {more}{total:,}"
