"""Progress of `submit` and `import`: how much has been sent, and why the rest is waiting."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.text import Text

from topicflow.views.progress import bar, pace


@dataclass(slots=True)
class Sending:
    """`on_change` is called on every change but the last: the caller reports the end.

    `items`: plural noun, such as `titles`.
    """

    total: int
    items: str
    on_change: Callable[["Sending"], None]
    sent: int = 0
    waiting: str | None = None
    _started_at: float = field(default_factory=time.monotonic)

    def advance_to(self, sent: int) -> None:
        self.sent, self.waiting = sent, None
        if not self.is_over:
            self.on_change(self)

    def pause(self, reason: object) -> None:
        self.waiting = str(reason)
        self.on_change(self)

    @property
    def is_over(self) -> bool:
        return self.sent >= self.total

    @property
    def position(self) -> str:
        """`500 of 1,200 titles`."""
        return f"{self.sent:,} of {self.total:,} {self.items}"

    @property
    def full_line(self) -> str:
        return f"{self.position} sent; waiting: {self.waiting}" if self.waiting else f"{self.position} sent"

    @property
    def view(self) -> RenderableType:
        rate = self.sent / max(0.001, time.monotonic() - self._started_at)
        left = pace(rate, self.total - self.sent) if rate and not self.waiting else ""
        row = bar(self.total, self.sent, Text(f"{self.position} sent"), left)
        return Group(row, Text(f"Waiting: {self.waiting}", style="yellow")) if self.waiting else row
