"""How much of something has been sent, and why the rest waits if it does: of `submit` or `import`."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.text import Text

from topicflow.views.progress import bar, pace


@dataclass(slots=True)
class Sending:
    """`tell` is called whenever it changes, but not at the end, which is the caller's to say."""

    total: int
    things: str
    tell: Callable[["Sending"], None]
    sent: int = 0
    waiting: str | None = None
    _began: float = field(default_factory=time.monotonic)

    def reached(self, sent: int) -> None:
        self.sent, self.waiting = sent, None
        if not self.is_over:
            self.tell(self)

    def waits(self, why: object) -> None:
        self.waiting = str(why)
        self.tell(self)

    @property
    def is_over(self) -> bool:
        return self.sent >= self.total

    @property
    def place(self) -> str:
        """`500 of 1,200 titles`."""
        return f"{self.sent:,} of {self.total:,} {self.things}"

    @property
    def full_line(self) -> str:
        return f"{self.place} sent; waiting, the API says: {self.waiting}" if self.waiting else f"{self.place} sent"

    @property
    def view(self) -> RenderableType:
        rate = self.sent / max(0.001, time.monotonic() - self._began)
        left = pace(rate, self.total - self.sent) if rate and not self.waiting else ""
        row = bar(self.total, self.sent, Text(f"{self.place} sent"), left)
        return Group(row, Text(f"Waiting, the API says: {self.waiting}", style="yellow")) if self.waiting else row
