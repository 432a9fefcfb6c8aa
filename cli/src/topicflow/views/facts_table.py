"""A table of labels and values, one per line; used by every view of a single object."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from local_processes.plain_text import one_line, plain


def facts_table(facts: Mapping[str, Text]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in facts.items():
        table.add_row(Text(label), value)
    return table


def label_of(name: str) -> str:
    """A field name as a label: `study_type` → `Study type`."""
    return one_line(name).replace("_", " ").capitalize()


def joined(value: object) -> str:
    return ", ".join(map(one_line, value)) if isinstance(value, list) else plain(value)
