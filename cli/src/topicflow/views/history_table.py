"""Draws what happened to a topic: an event a line, with what was paid in it. Columns without a value are left out."""

from collections.abc import Callable
from typing import Any

from rich.table import Table
from rich.text import Text

from local_processes.plain_text import one_line
from topicflow.views.times import local_time

_STYLES = {"completed": "green", "failed": "red", "parked": "yellow"}
Event = dict[str, Any]


def history_table(events: list[Event]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    columns = {label: [cell(event) for event in events] for label, cell in _CELLS.items()}
    shown = {label: cells for label, cells in columns.items() if any(cell.plain for cell in cells)}
    for label in shown:
        table.add_column(label, overflow="fold", no_wrap=label in {"Time", "Event", "Attempt"})
    for row in zip(*shown.values(), strict=True):
        table.add_row(*row)
    return table


def event_name(event: str) -> str:
    """`SubmissionCompleted` → `completed`, `TopicRemoved` → `removed`."""
    for what in ("Submission", "Topic", "Article"):
        event = event.removeprefix(what)
    return one_line(event).lower()


def _name(event: Event) -> Text:
    name = event_name(str(event.get("event", "")))
    return Text(name, style=_STYLES.get(name, ""))


def _words(field: str) -> Callable[[Event], Text]:
    return lambda event: Text(one_line(value) if (value := event.get(field)) is not None else "")


def _tokens(event: Event) -> Text:
    read, written = event.get("tokens_in"), event.get("tokens_out")
    return Text(f"{read or 0:,} / {written or 0:,}" if read or written else "")


def _cost(event: Event) -> Text:
    return Text(f"{cost:.6f}" if (cost := event.get("cost")) is not None else "")


_CELLS: dict[str, Callable[[Event], Text]] = {
    "Time": lambda event: Text(local_time(event.get("time")), style="dim"),
    "Event": _name,
    "Attempt": _words("attempt"),
    "Worker": _words("worker"),
    "Model": _words("model"),
    "Tokens in/out": _tokens,
    "Cost": _cost,
    "Error": _words("error"),
}
