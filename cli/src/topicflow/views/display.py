"""Live output: updated in place on a terminal, plain lines in a file or pipe."""

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.text import Text

MIN_INTERVAL = 2.0  # seconds between plain lines that only report progress


class Display(Protocol):
    def say(self, line: str) -> None:
        """Prints a line that stays on screen."""

    def show(self, view: RenderableType, line: str) -> None:
        """Shows the current state: `view` replaces the previous one on a terminal, `line` is for plain output."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


class LiveDisplay:
    """When it ends, only the lines of `say` remain on screen."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)

    def show(self, view: RenderableType, line: str) -> None:
        width = self._console.width - len("^C")  # echoed at the end of the last line, it must not wrap
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
        if line != self._last_line and now - self._last_time >= MIN_INTERVAL:
            self._last_line, self._last_time = line, now
            self.say(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass


def console_for(*, stderr: bool = False) -> Console:
    """On a terminal, its width; a pipe or file is not cut at 80 characters."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    return (
        console
        if console.is_terminal
        else Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=250)
    )


def display_on(console: Console) -> Display:
    return LiveDisplay(console) if console.is_terminal and not console.is_dumb_terminal else PlainDisplay(console)
