"""Figures as tables of 100 columns, one for each benchmark."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.figure import Figure

WIDTH = 100


def show(console: Console, name: str, what: str, again: str, figures: Sequence[Figure]) -> None:
    console.print(Text.assemble((name, "bold"), f": {what}"))
    table = Table(width=WIDTH, box=None, padding=(0, 2, 0, 0), caption=f"again: {again}", caption_justify="left")
    table.add_column("", ratio=1)
    for column in ("topicflow", "limit", "share"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("aim", width=24)
    for figure in figures:
        table.add_row(figure.what, *_cells(figure))
    console.print(table)
    console.print()


def _cells(figure: Figure) -> tuple[Text, ...]:
    measured = f"{_number(figure.measured)} {figure.unit}"
    if figure.growth:
        measured = f"{figure.growth:.2f} x  {measured}"
    limit = "" if figure.limit is None else _number(figure.limit)
    share = "" if figure.share is None else f"{figure.share:.2f}"
    style = "bold red" if figure.is_missed else ""
    aim = f"{figure.aim} MISSED" if figure.is_missed else str(figure.aim)
    return Text(measured, style), Text(limit), Text(share), Text(aim, style)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
