"""Progress as a bar and as a line of text: of `--wait`, `submit` and `import`."""

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from topicflow.views.times import duration


@dataclass(frozen=True, slots=True)
class ProgressLine:
    total: int
    completed: int
    failed: int
    removed: int = 0
    finished_here: int = 0  # while waiting; earlier ones would distort the rate
    seconds: float = 0.0
    waiting: str | None = None

    @property
    def finished(self) -> int:
        return self.completed + self.failed + self.removed

    @property
    def is_over(self) -> bool:
        return self.finished >= self.total

    @property
    def line(self) -> str:
        """`58 of 60 completed, 2 failed`."""
        removed = f", {self.removed} removed" if self.removed else ""
        return (
            f"{self.completed} of {self.total} completed" + (f", {self.failed} failed" if self.failed else "") + removed
        )

    @property
    def pace(self) -> str:
        """`3.4/s, 14 s left`; empty while unknown."""
        if self.is_over or not self.finished_here or not self.seconds:
            return ""
        return pace(self.finished_here / self.seconds, self.total - self.finished)

    @property
    def full_line(self) -> str:
        parts = [self.line, self.pace, f"waiting: {self.waiting}" if self.waiting else ""]
        return "; ".join(part for part in parts if part)

    @property
    def view(self) -> RenderableType:
        line = Text(self.line, style="red" if self.failed else "")
        row = bar(self.total, self.finished, line, self.pace)
        return Group(row, Text(f"Waiting: {self.waiting}", style="yellow")) if self.waiting else row


def pace(rate: float, left: int) -> str:
    """`rate`: per second; `left`: items."""
    rate_text = f"{rate:.1f}/s" if rate >= 0.1 else f"{rate * 60:.1f}/min"
    return f"{rate_text}, {duration(left / rate)} left"


def bar(total: int, finished: int, line: Text, pace: str) -> RenderableType:
    row = Table.grid(padding=(0, 2), expand=True)
    row.add_column(ratio=1)
    row.add_column(no_wrap=True)
    row.add_column(no_wrap=True)
    row.add_row(ProgressBar(total=total, completed=finished), line, Text(pace, style="dim"))
    return row
