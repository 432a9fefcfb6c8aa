"""Renders spend: one line per day, kind and model, and the total."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from local_processes.plain_text import one_line

_COLUMNS = ("Calls", "Tokens in", "Tokens out", "Cost", "Wasted")


def usage_table(usage: dict[str, Any]) -> RenderableType:
    if not usage["days"]:
        return Text(f"No spend since {one_line(usage['since'])}.")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("Day", "Kind", "Model"):
        table.add_column(name, no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=name != "Wasted")
    for row in usage["days"]:
        model = one_line(row["model"]) + (" (simulated)" if row["simulated"] else "")
        if row.get("priced_as"):
            model += f"\npriced as {one_line(row['priced_as'])}"
        wasted = [f"{_number(amounts['calls'])} {one_line(reason)}" for reason, amounts in row["wasted"].items()]
        cells = (one_line(row["day"]), one_line(row["kind"]), model, *_amounts(row), ", ".join(wasted))
        table.add_row(*map(Text, cells))
    if len(usage["days"]) > 1:
        wasted_total = f"{_number(usage['wasted']['calls'])} of {_dollars(usage['wasted'])}"
        table.add_row("Total", "", "", *_amounts(usage["total"]), wasted_total, style="bold")
    parts: list[RenderableType] = [table]
    if any(row["simulated"] for row in usage["days"]):
        parts.append(Text("Simulated calls were answered by a simulator and cost nothing.", style="yellow"))
    return Group(*parts)


def _amounts(amounts: dict[str, Any]) -> tuple[str, ...]:
    out = amounts["tokens_out"] + amounts["tokens_thought"]
    return (_number(amounts["calls"]), f"{amounts['tokens_in']:,}", f"{out:,}", _dollars(amounts))


def _number(calls: float) -> str:
    return f"{calls:,.1f}".removesuffix(".0")


def _dollars(amounts: dict[str, Any]) -> str:
    """`≥`: the price of some calls is unknown."""
    if amounts["unpriced_calls"] and amounts["unpriced_calls"] == amounts["calls"]:
        return "no price"
    return f"{'≥ ' if amounts['unpriced_calls'] else ''}${amounts['cost']:,.4f}"
