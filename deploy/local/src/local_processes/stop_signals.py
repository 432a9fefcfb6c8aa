"""Ctrl-C, SIGTERM and a closed terminal: the first one stops `up` cleanly, a second Ctrl-C at once."""

import asyncio
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Self


def stop_signals() -> list[signal.Signals]:
    """The signals to stop for. SIGHUP is left ignored if it is, as by nohup; SIGINT is not, because shells ignore it in
    background jobs."""
    is_nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *(() if is_nohup else (signal.SIGHUP,))]


class StopSignals:
    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self.on_second_interrupt: Callable[[], None] = self._requested.set

    async def requested(self) -> None:
        await self._requested.wait()

    def _on_signal(self, number: int) -> None:
        if self._requested.is_set() and number == signal.SIGINT:
            self.on_second_interrupt()
        self._requested.set()

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in stop_signals():
            loop.add_signal_handler(number, self._on_signal, number)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
