"""Every benchmark runs at its smallest size on every stack it supports, and reports its figures and its command."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from bench.benchmarks import BENCHMARKS, of
from servers import Stacks
from servers.stack import KAFKA, ON_VALKEY

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
SMALLEST = ("--topics=20", "--rate=100", "--seconds=0.1", "--titles=500", "--posts=20", "--rows=1200", "--asks=1")
EVERYWHERE = [name for name in BENCHMARKS if name in of(KAFKA)]
Runs = Mapping[str, Future[list[dict[str, Any]]]]


def _run(name: str, on: str, found: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", name, "--on", on, *SMALLEST, "--json", str(found)]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)


def _figures(name: str, on: str, found: Path) -> list[dict[str, Any]]:
    run = _run(name, on, found)
    assert run.returncode == 0, run.stderr
    assert f"{name}: " in run.stdout
    return list(json.loads(found.read_text())["figures"])


@pytest.fixture(scope="module")
def runs(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Two at a time: times do not matter here."""
    folder = tmp_path_factory.mktemp("figures")
    pool = ThreadPoolExecutor(2)
    yield {name: pool.submit(_figures, name, stacks.name, folder / f"{name}.json") for name in of(stacks.name)}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_benchmark_measures_something(name: str, runs: Runs) -> None:
    _must_measure_something(name, runs)


@ON_VALKEY
@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in EVERYWHERE])
def test_a_benchmark_for_valkey_and_sqlite_measures_something(name: str, runs: Runs) -> None:
    _must_measure_something(name, runs)


def test_a_benchmark_that_cannot_run_on_a_stack_is_refused(tmp_path: Path) -> None:
    run = _run("start", KAFKA, tmp_path / "figures.json")
    assert run.returncode == 2
    assert "there is no start on kafka+postgresql: choose from drain, " in run.stderr


def _must_measure_something(name: str, runs: Runs) -> None:
    figures = runs[name].result()
    assert figures
    for figure in figures:
        assert figure["measured"] > 0 or "CPU" in figure["what"] or "busy" in figure["what"]  # too little to be counted
        assert figure["again"].startswith(f'make bench ARGS="{name} --')
