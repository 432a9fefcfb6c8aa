"""CPU and memory of running processes and their children, as the kernel counts them."""

from collections.abc import Callable, Mapping
from contextlib import suppress

import psutil
from servers import Process


class Costs:
    """Of processes by name; CPU from the moment that each is at work, so that its start does not count."""

    def __init__(self, processes: Mapping[str, Process]) -> None:
        self._processes = {
            name: psutil.Process(process.running.pid) for name, process in processes.items() if process.running
        }
        self._before: dict[str, float] = {}

    def begin(self, *names: str) -> None:
        """From here on; only the first time counts."""
        for name in names:
            if name not in self._before:
                self._before[name] = _seconds(self._processes[name])

    def begin_anew(self) -> None:
        self._before = {name: _seconds(process) for name, process in self._processes.items()}

    def microseconds(self, per: int) -> dict[str, float]:
        """Of CPU, for each of `per` things that were done."""
        return {name: (_seconds(self._processes[name]) - before) * 1e6 / per for name, before in self._before.items()}

    def megabytes(self) -> dict[str, float]:
        return {name: megabytes(process) for name, process in self._processes.items()}


def megabytes(process: psutil.Process) -> float:
    """Resident; of its children, as each connection to PostgreSQL is one, what is theirs alone."""
    of_children = _of_children(process, lambda child: float(child.memory_full_info().uss))
    return (float(process.memory_info().rss) + of_children) / 1024**2


def _seconds(process: psutil.Process) -> float:
    """Ended children count too: the kernel adds them to the process that waited for them."""
    times = process.cpu_times()
    ended = times.children_user + times.children_system
    return float(times.user + times.system + ended) + _of_children(process, lambda child: sum(child.cpu_times()[:2]))


def _of_children(process: psutil.Process, of: Callable[[psutil.Process], float]) -> float:
    found = 0.0
    for child in process.children():
        with suppress(psutil.NoSuchProcess):  # it ended in this moment
            found += of(child)
    return found
