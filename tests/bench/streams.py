"""Open event streams beside a running worker: what they take from it, and what they cost the API."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.bench_deployment import API, LLM_OVER_HTTP, PROJECTING, BenchDeployment, bench_deployment
from bench.figure import Aim, Figure
from bench.fill_streams import fill, submission
from bench.processes import Costs
from bench.sizes import Sizes

TOPICS = 5_000
CALL_SECONDS = 1.0
IN_FLIGHT = "500"  # topics, a hundred calls: else the calls would be all that is waited for
FOR_IDS, FOR_ALL = 480, 20


@dataclass(frozen=True, slots=True)
class _Drained:
    topics_per_s: float
    api_microseconds: float  # of CPU a topic
    api_megabytes: float
    seen: dict[str, Any]


def streams(sizes: Sizes) -> Iterator[Figure]:
    """topics with calls of 1 s until all are projected, beside 500 open event streams; limit: beside none"""
    without, beside = _drained(sizes, 0, 0), _drained(sizes, FOR_IDS, FOR_ALL)
    yield Figure("with 500 event streams", "topics/s", beside.topics_per_s, without.topics_per_s, aim=Aim(share=0.9))
    more = beside.api_megabytes - without.api_megabytes
    yield Figure("more memory of the API", "MB", more, aim=Aim(at_most=100))
    yield Figure("CPU a topic, api", "µs", beside.api_microseconds, without.api_microseconds)
    yield Figure("events that were sent", "", beside.seen["events"])
    asked_for, behind = beside.seen["asked_for"], beside.seen["behind"]
    yield Figure("newest states that were sent", "", asked_for - behind, aim=Aim(at_least=asked_for))


def _drained(sizes: Sizes, for_ids: int, for_all: int) -> _Drained:
    topics = sizes.topics or TOPICS
    with bench_deployment(sizes.on) as run:
        run.settings |= {"TOPICFLOW_IN_FLIGHT": IN_FLIGHT}
        asyncio.run(fill(run.stack))
        run.start_projector(PROJECTING)
        run.add("api", API)
        run.until("/ready")
        run.start_worker(LLM_OVER_HTTP)
        run.gemini.take(CALL_SECONDS)
        with _listeners(run, topics, for_ids, for_all) as seen:
            return asyncio.run(_measured(run, topics, seen))


@contextmanager
def _listeners(run: BenchDeployment, topics: int, for_ids: int, for_all: int) -> Iterator[Any]:
    """Yields a function that waits until they have been told everything, and returns what they have seen."""
    if not for_ids + for_all:
        yield dict
        return
    sizes = (str(size) for size in (topics, for_ids, for_all, 0))
    command = [sys.executable, "-m", "integration.listeners", run.database_url, *sizes, str(run.api_port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "listening\n"

        def seen() -> dict[str, Any]:
            return dict(json.loads(process.communicate()[0]))

        yield seen


async def _measured(run: BenchDeployment, topics: int, seen: Any) -> _Drained:
    transport = run.stack.connect()
    costs = Costs(run.processes)
    costs.begin_anew()
    began = asyncio.get_running_loop().time()
    await transport.publish([submission(f"Topic number {n}") for n in range(topics)])
    for _ in run.completing(topics):
        await asyncio.sleep(0.02)
    took = asyncio.get_running_loop().time() - began
    await transport.close()
    return _Drained(topics / took, costs.microseconds(topics)[API], costs.megabytes()[API], seen())
