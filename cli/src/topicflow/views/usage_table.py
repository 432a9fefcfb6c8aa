"""Draws what was paid: a line for each day, kind and model, and the sum."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from local_processes.plain_text import one_line

_COLUMNS = ("Calls", "Tokens in", "Tokens out", "Cost", "In vain")


def usage_picture(usage: dict[str, Any]) -> RenderableType:
    if not usage["days"]:
        return Text(f"Nothing was paid since {one_line(usage['since'])}.")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("Day", "Kind", "Model"):
        table.add_column(name, no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=name != "In vain")
    for paid in usage["days"]:
        model = one_line(paid["model"]) + (" (simulated)" if paid["simulated"] else "")
        if paid.get("priced_as"):
            model += f"\npriced as {one_line(paid['priced_as'])}"
        reasons = [f"{_number(of['calls'])} {one_line(reason)}" for reason, of in paid["wasted"].items()]
        words = (one_line(paid["day"]), one_line(paid["kind"]), model, *_amounts(paid), ", ".join(reasons))
        table.add_row(*map(Text, words))
    if len(usage["days"]) > 1:
        in_vain = f"{_number(usage['wasted']['calls'])} of {_dollars(usage['wasted'])}"
        table.add_row("all", "", "", *_amounts(usage["total"]), in_vain, style="bold")
    parts: list[RenderableType] = [table]
    if any(paid["simulated"] for paid in usage["days"]):
        parts.append(Text("What is simulated was answered by a simulator: nobody was paid for it.", style="yellow"))
    return Group(*parts)


def _amounts(of: dict[str, Any]) -> tuple[str, ...]:
    out = of["tokens_out"] + of["tokens_thought"]
    return (_number(of["calls"]), f"{of['tokens_in']:,}", f"{out:,}", _dollars(of))


def _number(calls: float) -> str:
    return f"{calls:,.1f}".removesuffix(".0")


def _dollars(of: dict[str, Any]) -> str:
    """`≥`: the price of some calls is not known."""
    if of["unpriced_calls"] and of["unpriced_calls"] == of["calls"]:
        return "no price"
    return f"{'≥ ' if of['unpriced_calls'] else ''}${of['cost']:,.4f}"
