"""Topics from a full stream until all are projected: how many a second, and what each costs."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from servers.stack import KAFKA, VALKEY

from bench.bench_deployment import (
    BY_HAND,
    HOW,
    LLM_IN_PROCESS,
    LLM_OVER_HTTP,
    PROJECTING,
    WORKER,
    BenchDeployment,
    bench_deployment,
)
from bench.figure import Aim, Figure
from bench.fill_streams import fill, submission
from bench.processes import Costs
from bench.sizes import Sizes
from shared.messaging.broker import START
from shared.streams import SUBMISSION_OUTCOMES

TOPICS = 10_000
AIMS = {VALKEY: Aim(at_least=2000, share=0.4), KAFKA: Aim(at_least=3000, share=0.6)}


@dataclass(frozen=True, slots=True)
class _Drained:
    topics_per_s: float
    microseconds: Mapping[str, float]  # a topic, by process
    megabytes: Mapping[str, float]


def drain(sizes: Sizes) -> Iterator[Figure]:
    """a full stream of submissions until all are projected; 1 worker, 1 projector"""
    by_how = {how: _drain(how, sizes) for how in HOW}
    topicflow, over_http, limit = by_how[LLM_IN_PROCESS], by_how[LLM_OVER_HTTP], by_how[BY_HAND]
    yield Figure(LLM_IN_PROCESS, "topics/s", topicflow.topics_per_s, limit.topics_per_s, aim=AIMS[sizes.on])
    yield Figure(LLM_OVER_HTTP, "topics/s", over_http.topics_per_s, limit.topics_per_s)
    for name in (WORKER, PROJECTING, *sizes.servers):
        yield Figure(f"CPU a topic, {name}", "µs", topicflow.microseconds[name], limit.microseconds[name])
    yield Figure(f"CPU a topic, worker, {LLM_OVER_HTTP}", "µs", over_http.microseconds[WORKER])
    for name, megabytes in over_http.megabytes.items():
        aim = Aim(at_most=130 if name == WORKER else None)
        yield Figure(f"memory at the end, {name}, {LLM_OVER_HTTP}", "MB", megabytes, limit.megabytes[name], aim=aim)


def _drain(how: str, sizes: Sizes) -> _Drained:
    topics = sizes.topics or TOPICS
    with bench_deployment(sizes.on) as run:
        asyncio.run(fill(run.stack, (submission(f"Benchmark topic number {n}") for n in range(topics))))
        run.start_worker(how)
        run.start_projector(how)
        costs = Costs(run.processes)
        seconds = asyncio.run(_seconds(run, costs, topics))
        return _Drained(topics / seconds, costs.microseconds(topics), costs.megabytes())


async def _seconds(run: BenchDeployment, costs: Costs, topics: int) -> float:
    """From the first outcome that the broker stored to the last topic that the projection counts."""
    transport = run.stack.connect()
    outcomes = SUBMISSION_OUTCOMES.name
    beginning = {partition: {outcomes: START} for partition in await transport.end_positions([outcomes])}
    first: datetime | None = None
    for _ in run.completing(topics):
        if first is None and (first := await transport.oldest_after(beginning)):
            costs.begin(WORKER, *run.servers)
        if run.projection.has_begun:
            costs.begin(PROJECTING)
        await asyncio.sleep(0.02)
    ended = datetime.now(UTC)
    first = first or await transport.oldest_after(beginning)
    costs.begin(*run.processes)  # few topics end between two looks
    await transport.close()
    assert first
    return (ended - first).total_seconds()
