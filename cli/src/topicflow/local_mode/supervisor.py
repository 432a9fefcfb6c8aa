"""Runs the child processes of local mode, and stops them in reverse order of their start."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from local_processes.child import Child, Program
from local_processes.child_log import ChildLog
from topicflow.local_mode.data_folder import DataFolder

NOTICE_AFTER = 1.5  # seconds until a slow stop is reported


class Supervisor:
    """`async with Supervisor(…)`: no child outlives it, whatever happens inside."""

    def __init__(self, folder: DataFolder, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._children: dict[Child, asyncio.Task[None]] = {}
        self._refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, program: Program) -> None:
        log = ChildLog(self._folder.logs / f"{program.name}.log")
        child = Child(program, log, self._folder.children_lock, self._say)
        task = asyncio.create_task(child.run())
        task.add_done_callback(self._on_child_end)
        self._children[child] = task

    async def refused(self) -> None:
        """Never returns; raises the error of the first child that cannot be restarted."""
        await asyncio.shield(self._refused)

    def kill(self) -> None:
        """Kills all children immediately."""
        for child in self._children:
            child.kill()

    async def stop(self) -> None:
        if not self._children:
            return
        self._say("Stopping …")
        for child, task in reversed(self._children.items()):
            child.stop()
            done, _ = await asyncio.wait({task}, timeout=NOTICE_AFTER)
            if not done:
                self._say(f"{child.program.name} is finishing its work; Ctrl-C again ends it at once")
                await asyncio.wait({task})
        self._say("Stopped.")

    def _on_child_end(self, task: asyncio.Task[None]) -> None:
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
            self._refused.exception()  # retrieved, so asyncio does not warn at exit
        else:
            self._refused.cancel()
