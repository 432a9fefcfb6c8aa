"""Every benchmark runs, at its smallest: it measures something, and says what, beside what and how again."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from bench.benchmarks import BENCHMARKS

TESTS = Path(__file__).parents[1]
SMALLEST = ("--topics=20", "--rate=100", "--seconds=0.1", "--titles=500", "--posts=20", "--rows=1200", "--asks=1")
Runs = Mapping[str, Future[list[dict[str, Any]]]]


def _figures(name: str, found: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "bench", name, *SMALLEST, "--json", str(found)]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stderr
    assert f"{name}: " in run.stdout
    return list(json.loads(found.read_text())["figures"])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Two at a time: here nobody looks at the time."""
    folder = tmp_path_factory.mktemp("figures")
    pool = ThreadPoolExecutor(2)
    yield {name: pool.submit(_figures, name, folder / f"{name}.json") for name in BENCHMARKS}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_measures_something(name: str, runs: Runs) -> None:
    figures = runs[name].result()
    assert figures
    for figure in figures:
        assert figure["ours"] > 0 or "CPU" in figure["what"] or "busy" in figure["what"]  # too little to be counted
        assert figure["again"].startswith(f'make bench ARGS="{name} --')
