"""Ctrl-C, SIGTERM and a closed terminal: the first asks `up` to stop, a second Ctrl-C insists."""

import asyncio
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Self


class StopSignals:
    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self.insist: Callable[[], None] = self._requested.set

    async def requested(self) -> None:
        await self._requested.wait()

    def _on_signal(self, number: int) -> None:
        if self._requested.is_set() and number == signal.SIGINT:
            self.insist()
        self._requested.set()

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup wants to live on
                loop.add_signal_handler(number, self._on_signal, number)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
