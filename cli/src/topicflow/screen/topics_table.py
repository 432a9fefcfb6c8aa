"""Draws lists of topics: a line each, with whole titles and whole ids."""

from typing import Any

from rich.table import Table
from rich.text import Text

from topicflow.screen.plain_text import one_line
from topicflow.screen.state_picture import STYLES
from topicflow.screen.times import local_time


def topics_table(answer: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Status", no_wrap=True)
    table.add_column("Title", overflow="fold")
    table.add_column("Updated", no_wrap=True)
    table.add_column("Id", no_wrap=True, min_width=36)
    for topic in answer["topics"]:
        status = one_line(topic.get("status", ""))
        table.add_row(
            Text(status, style=STYLES.get(status, "")),
            Text(one_line(topic.get("title", ""))),
            Text(local_time(topic.get("updated_at")), style="dim"),
            Text(one_line(topic.get("id", "")), style="dim"),
        )
    return table


def total_line(answer: dict[str, Any]) -> str:
    """`20 of 1,234`, or of `more than 10,000` where the API stopped counting."""
    total = answer.get("total_count", 0)
    more = "more than " if answer.get("total_count_capped") else ""
    return f"{len(answer['topics']):,} of {more}{total:,}"
