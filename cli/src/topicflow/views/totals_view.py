"""Renders totals over all topics: the numbers of `stats`, and the values of `topics filters`."""

from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from local_processes.plain_text import one_line
from topicflow.views.facts_table import facts_table
from topicflow.views.state_view import gemini
from topicflow.views.times import duration

MAX_VALUES = 50  # of one facet
_OPTIONS = {
    "--category": "categories",
    "--subcategory": "subcategories",
    "--company": "companies",
    "--complexity": "complexity_levels",
    "--technology": "technologies",
    "--tag": "tags",
}


def stats_view(stats: dict[str, Any]) -> RenderableType:
    ended = stats["completed"] + stats["failed"]
    facts = {
        "Topics": f"{stats['total_topics']:,}",
        "Completed": f"{stats['completed']:,}",
        "Failed": f"{stats['failed']:,}",
        "Success": f"{stats['success_rate']:g} % of finished topics" if ended else "no topic has finished yet",
        "Average": f"{duration(stats['average_seconds'])} from start to completion" if stats["completed"] else "",
    }
    rows = {label: Text(value) for label, value in facts.items() if value}
    parts: list[RenderableType] = [facts_table({**rows, "Gemini": gemini(stats.get("simulated"))})]
    breakdowns = {"Category": stats["by_category"], "Complexity": stats["by_complexity"]}
    if tables := [_counts(label, counts) for label, counts in breakdowns.items() if counts]:
        parts += [Text(), Columns(tables, padding=(0, 4))]
    return Group(*parts)


def filters_view(filters: dict[str, Any]) -> RenderableType | None:
    """The options of `topics list` with their existing values; None if there are none."""
    rows = {option: _values(filters[name]) for option, name in _OPTIONS.items() if filters.get(name)}
    return facts_table(rows) if rows else None


def _values(values: list[str]) -> Text:
    more = len(values) - MAX_VALUES
    visible = " · ".join(map(one_line, values[:MAX_VALUES]))
    return Text(visible + (f" … and {more:,} more (see --json)" if more > 0 else ""))


def _counts(label: str, counts: dict[str, int]) -> Table:
    """Most frequent first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(label, overflow="fold")
    table.add_column("Topics", justify="right", no_wrap=True)
    for value, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(Text(one_line(value)), f"{count:,}")
    return table
