"""Calls of 2 s and of 10 s, 30 at a time: how well a running worker keeps its slots busy."""

import asyncio
import heapq
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from integration.databases import rows
from servers import GeminiSimulator

from bench.bench_deployment import LLM_OVER_HTTP, PROJECTING, WORKER, BenchDeployment, bench_deployment
from bench.figure import Aim, Figure
from bench.fill_streams import fill, submission
from bench.in_process_worker import IN_FLIGHT
from bench.processes import Costs
from bench.sizes import Sizes

TOPICS = 300
CALL_SECONDS, SLOW_SECONDS = 2.0, 10.0
SLOW_EVERY = 10  # calls, of the first half: so the slow ones are one in 20, and none of them is the last
SLOW = "that takes long"
AIM = Aim(share=0.98)


@dataclass(frozen=True, slots=True)
class _Done:
    """Seconds; `ideal`: if no slot were empty while there is work. `busy`: of all cores."""

    took: float
    ideal: float
    until_the_first: float
    until_projected: float
    cpu_a_call: float
    busy: float

    @property
    def between(self) -> float:
        return self.took - self.ideal - self.until_the_first - self.until_projected


def in_flight(sizes: Sizes) -> Iterator[Figure]:
    """a burst of topics, one a call of 2 s, 30 at a time, until all are projected; limit: slots never empty"""
    alone, alike, mixed = _alone(sizes), _done(sizes, is_mixed=False), _done(sizes, is_mixed=True)
    yield Figure("google-genai alone, all calls alike", "s", alone, alike.ideal)
    yield Figure("all calls alike", "s", alike.took, alike.ideal, aim=AIM)
    yield Figure("… until the first call began", "ms", alike.until_the_first * 1000)
    yield Figure("… from an answer's time to the next one's, of all calls of a slot", "ms", alike.between * 1000)
    yield Figure("… from the last outcome until it is projected", "ms", alike.until_projected * 1000)
    yield Figure("one in 20 calls takes 10 s", "s", mixed.took, mixed.ideal, aim=AIM)
    for name, done in (("alike", alike), ("mixed", mixed)):
        yield Figure(f"CPU a call, worker, {name}", "ms", done.cpu_a_call * 1000)
        yield Figure(f"how busy the machine is, {name}", "%", done.busy * 100)


def _alone(sizes: Sizes) -> float:
    """Seconds that the calls take without topicflow."""
    with TemporaryDirectory(prefix="topicflow-bench-") as folder:
        gemini = GeminiSimulator(Path(folder), CALL_SECONDS)
        try:
            gemini.start()
            arguments = [gemini.url, str(sizes.topics or TOPICS), str(IN_FLIGHT)]
            command = [sys.executable, "-m", "bench.client_alone", *arguments]
            return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        finally:
            gemini.end()


def _done(sizes: Sizes, is_mixed: bool) -> _Done:
    topics = sizes.topics or TOPICS
    slow = range(0, topics // 2, SLOW_EVERY) if is_mixed else range(0)
    titles = [f"Topic number {n} {SLOW if n in slow else ''}" for n in range(topics)]
    with bench_deployment(sizes.on) as run:
        asyncio.run(fill(run.stack))
        run.settings["WORKER_BATCH_SIZE"] = "1"
        run.start_worker(LLM_OVER_HTTP)
        run.start_projector(PROJECTING)
        run.gemini.add_fault("hang", title_contains=SLOW, seconds=SLOW_SECONDS)
        return asyncio.run(_measured(run, titles))


async def _measured(run: BenchDeployment, titles: Sequence[str]) -> _Done:
    """From before the first is published until the projection counts the last as completed. One topic before them
    opens all connections."""
    transport = run.stack.connect()
    await transport.publish([submission("One that goes ahead")])
    for _ in run.completing(1):
        await asyncio.sleep(0.01)
    run.gemini.take(CALL_SECONDS)
    records = [submission(title) for title in titles]
    costs, machine = Costs(run.processes), psutil.cpu_times()
    costs.begin_anew()
    began = datetime.now(UTC)
    await transport.publish(records)
    for _ in run.completing(len(titles) + 1):
        await asyncio.sleep(0.005)
    projected = datetime.now(UTC)
    cpu, used = costs.microseconds(len(titles))[WORKER] / 1e6, busy(machine, psutil.cpu_times())
    await transport.close()
    assert run.gemini.calls["calls"] == len(titles) + 1
    query = """
        SELECT name, started_at, ended_at FROM submissions
        WHERE name != 'One that goes ahead' ORDER BY started_at
    """
    calls = rows(run.database_url, query)
    answers = [SLOW_SECONDS if SLOW in title else CALL_SECONDS for title, *_ in calls]
    last = max(_moment(ended) for *_, ended in calls)
    return _Done(
        took=(projected - began).total_seconds(),
        ideal=scheduled_seconds(answers, IN_FLIGHT),
        until_the_first=(_moment(calls[0][1]) - began).total_seconds(),
        until_projected=(projected - last).total_seconds(),
        cpu_a_call=cpu,
        busy=used,
    )


def busy(before: Any, after: Any) -> float:
    """The busy share of all cores between two `psutil.cpu_times()`."""
    spent = sum(after) - sum(before)
    return 1 - (after.idle - before.idle) / spent if spent else 0.0


def scheduled_seconds(seconds: Sequence[float], slots: int) -> float:
    """Seconds until all are done if each free slot takes the next."""
    free = [0.0] * slots
    for took in seconds:
        heapq.heapreplace(free, free[0] + took)
    return max(free)


def _moment(stored: str) -> datetime:
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)
