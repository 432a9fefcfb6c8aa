"""`topicflow up` in an empty folder until it reports that it is ready, and the memory of its processes."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from e2e.local_mode import LocalMode

from bench.figure import Aim, Figure
from bench.sizes import Sizes

IDLE_SECONDS = 2.0


def start(_: Sizes) -> Iterator[Figure]:
    """`topicflow up` on a fresh folder until it is ready, and the memory of its processes when idle"""
    with TemporaryDirectory(prefix="topicflow-bench-") as folder:
        began = time.perf_counter()
        local_mode = LocalMode(Path(folder))
        try:
            asyncio.run(local_mode.ready())
            yield Figure("until it is ready", "s", time.perf_counter() - began, aim=Aim(at_most=5))
            time.sleep(IDLE_SECONDS)
            yield from _memory(local_mode)
        finally:
            local_mode.end()


def _memory(local_mode: LocalMode) -> Iterator[Figure]:
    """Of each alone: what `up` started are its children."""
    processes = {"topicflow up": psutil.Process(local_mode.process.pid), **local_mode.children()}
    of_each = {name: process.memory_info().rss / 1024**2 for name, process in processes.items()}
    for name, memory in of_each.items():
        yield Figure(f"memory, {name}", "MB", memory)
    yield Figure("memory, all of them", "MB", sum(of_each.values()))
