"""Shows what changes: in place on a terminal, as plain lines where output goes to a file or a pipe."""

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.text import Text

LINES_APART = 2.0  # seconds between plain lines that only report progress


class Display(Protocol):
    def say(self, line: str) -> None:
        """A line that stays."""

    def show(self, view: RenderableType, line: str) -> None:
        """What is true now: the picture replaces the one before, the line is for where nothing can be replaced."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


class LiveDisplay:
    """Leaves nothing but the lines that were said."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)

    def show(self, view: RenderableType, line: str) -> None:
        width = self._console.width - len("^C")  # echoed at the end of the last line, it must not begin another one
        self._live.update(Constrain(view, width - 1), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()


class PlainDisplay:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_line = ""
        self._last_time = 0.0

    def say(self, line: str) -> None:
        self._console.out(line, highlight=False)

    def show(self, view: RenderableType, line: str) -> None:
        now = time.monotonic()
        if line != self._last_line and now - self._last_time >= LINES_APART:
            self._last_line, self._last_time = line, now
            self.say(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass


def console_for(*, stderr: bool = False) -> Console:
    """A terminal as wide as it is; a pipe or a file is not cut at 80 characters."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    return (
        console
        if console.is_terminal
        else Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=250)
    )


def display_on(console: Console) -> Display:
    return LiveDisplay(console) if console.is_terminal and not console.is_dumb_terminal else PlainDisplay(console)
