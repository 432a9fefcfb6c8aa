"""Keeps the children of local mode alive and ends them in the opposite order of their start."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from local_processes.child import Child, Program
from local_processes.child_log import ChildLog
from topicflow.local_mode.data_folder import DataFolder

SILENCE = 1.5  # seconds of stopping without a word


class Supervisor:
    """`async with Supervisor(…)`: whatever happens inside, no child outlives it."""

    def __init__(self, folder: DataFolder, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._children: dict[Child, asyncio.Task[None]] = {}
        self._refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, program: Program) -> None:
        log = ChildLog(self._folder.logs / f"{program.name}.log")
        child = Child(program, log, self._folder.held_by_children, self._say)
        task = asyncio.create_task(child.run())
        task.add_done_callback(self._notice)
        self._children[child] = task

    async def refused(self) -> None:
        """Raises what a child ended for good with, as soon as one does; never returns."""
        await asyncio.shield(self._refused)

    def kill(self) -> None:
        """Ends everything at once."""
        for child in self._children:
            child.kill()

    async def stop(self) -> None:
        if not self._children:
            return
        self._say("Stopping …")
        for child, task in reversed(self._children.items()):
            child.stop()
            done, _ = await asyncio.wait({task}, timeout=SILENCE)
            if not done:
                self._say(f"{child.program.name} finishes what it has begun; Ctrl-C again ends it at once")
                await asyncio.wait({task})
        self._say("Stopped.")

    def _notice(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error and not self._refused.done():
            self._refused.set_exception(error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.stop()
        if self._refused.done():
            self._refused.exception()  # seen: no "never retrieved" at exit
        else:
            self._refused.cancel()
