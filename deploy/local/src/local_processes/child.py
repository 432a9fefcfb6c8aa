"""A child process that is restarted whenever it ends. Used by `supervisor`."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local_processes.child_log import ChildLog
from local_processes.die_with_parent import ending_with_parent
from local_processes.errors import WRONG_USE, WrongUse
from local_processes.plain_text import one_line

SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds between an end and the next start
STABLE_AFTER = 30.0  # seconds of running, after which the pauses start over
GRACE = 15.0  # seconds from SIGTERM to SIGKILL
MAX_LINE_SHOWN = 120  # characters of a child's last line


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def next_pause(previous: float | None, uptime: float) -> float:
    """Seconds to wait before the next start, doubled while the child keeps ending early."""
    if previous is None or uptime >= STABLE_AFTER:
        return SHORTEST_PAUSE
    return min(previous * 2, LONGEST_PAUSE)


def describe_end(code: int) -> str:
    if code >= 0:
        return f"ended (exit code {code})"
    try:
        return f"was killed ({signal.Signals(-code).name})"
    except ValueError:
        return f"was killed (signal {-code})"


class Child:
    def __init__(self, program: Program, log: ChildLog, inherited_fd: int, say: Callable[[str], None]) -> None:
        self.program = program
        self._log = log
        self._inherited_fd = inherited_fd
        self._say = say
        self._stop = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Runs until `stop`. Raises WrongUse, with the last log line, if the first start ends with that exit code."""
        pause: float | None = None
        while True:
            started_at = time.monotonic()
            code = await self._run_once()
            if self._stop.is_set():
                return
            if code == WRONG_USE and pause is None:
                raise WrongUse(self._log.last_line() or f"{self.program.name} refused its settings")
            pause = next_pause(pause, time.monotonic() - started_at)
            self._report_end(code, pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()
                    return

    def _report_end(self, code: int, pause: float) -> None:
        line = one_line(self._log.last_line())[:MAX_LINE_SHOWN] if code > 0 else ""
        reason = f": {line}" if line and not line.startswith("{") else ""  # the end of a traceback, not a log entry
        again = "restarting" if pause <= 1 else f"restarting in {pause:.0f} s, see {self._log.path}"
        self._say(f"{self.program.name} {describe_end(code)}{reason}; {again}")

    def stop(self) -> None:
        """Asks `run` to end the process and to return."""
        self._stop.set()

    def kill(self) -> None:
        self._stop.set()
        if self._process and self._process.returncode is None:
            self._process.kill()

    async def _run_once(self) -> int:
        with self._log.open() as log:
            process = await asyncio.create_subprocess_exec(
                *ending_with_parent(self.program.arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.program.environment),
                start_new_session=True,
                pass_fds=(self._inherited_fd,),
            )
        self._process = process
        ended, stopping = asyncio.ensure_future(process.wait()), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await _end(process)
            return await ended
        finally:
            stopping.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await process.wait()
            return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
