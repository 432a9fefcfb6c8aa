"""What running processes cost: CPU and memory, as the kernel counts them."""

from collections.abc import Mapping

import psutil
from servers import Process


class Costs:
    """Of processes by name; CPU from the moment that each is at work, so that its start does not count."""

    def __init__(self, processes: Mapping[str, Process]) -> None:
        self._processes = {
            name: psutil.Process(process.running.pid) for name, process in processes.items() if process.running
        }
        self._before: dict[str, float] = {}

    def begin(self, name: str) -> None:
        """From here on; only the first time counts."""
        self._before.setdefault(name, _seconds(self._processes[name]))

    def begin_anew(self) -> None:
        self._before = {name: _seconds(process) for name, process in self._processes.items()}

    def microseconds(self, per: int) -> dict[str, float]:
        """Of CPU, for each of `per` things that were done."""
        return {name: (_seconds(self._processes[name]) - before) * 1e6 / per for name, before in self._before.items()}

    def megabytes(self) -> dict[str, float]:
        """Resident."""
        return {name: megabytes(process) for name, process in self._processes.items()}


def megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1024**2


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
