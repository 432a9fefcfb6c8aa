"""Renders the history of a submission: one line per event, with its cost. Empty columns are left out."""

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
    visible = {label: cells for label, cells in columns.items() if any(cell.plain for cell in cells)}
    for label in visible:
        table.add_column(label, overflow="fold", no_wrap=label in {"Time", "Event", "Attempt"})
    for row in zip(*visible.values(), strict=True):
        table.add_row(*row)
    return table


def event_name(event: str) -> str:
    """`SubmissionCompleted` → `completed`, `TopicRemoved` → `removed`, `ForgetArticle` → `forget`."""
    for subject in ("Submission", "Topic", "Article"):
        event = event.removeprefix(subject).removesuffix(subject)
    return one_line(event).lower()


def _name(event: Event) -> Text:
    name = event_name(str(event.get("event", "")))
    return Text(name, style=_STYLES.get(name, ""))


def _field(field: str) -> Callable[[Event], Text]:
    return lambda event: Text(one_line(value) if (value := event.get(field)) is not None else "")


def _tokens(event: Event) -> Text:
    tokens_in, tokens_out = event.get("tokens_in"), event.get("tokens_out")
    return Text(f"{tokens_in or 0:,} / {tokens_out or 0:,}" if tokens_in or tokens_out else "")


def _cost(event: Event) -> Text:
    return Text(f"{cost:.6f}" if (cost := event.get("cost")) is not None else "")


_CELLS: dict[str, Callable[[Event], Text]] = {
    "Time": lambda event: Text(local_time(event.get("time")), style="dim"),
    "Event": _name,
    "Attempt": _field("attempt"),
    "Worker": _field("worker"),
    "Model": _field("model"),
    "Tokens in/out": _tokens,
    "Cost": _cost,
    "Error": _field("error"),
}
