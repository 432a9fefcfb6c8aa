"""Topics from a full stream until all are projected: how many a second, and what each costs."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import redis

from bench.figure import Aim, Figure
from bench.processes import Costs
from bench.setting import BY_HAND, HOW, LLM_IN_PROCESS, LLM_OVER_HTTP, PROJECTING, VALKEY, WORKER, Setting, setting
from bench.sizes import Sizes
from shared.events import TopicSubmitted, topic_id
from shared.streams import SUBMISSION_OUTCOMES
from shared.transport.redis_streams.transport import RedisTransport
from shared.wire import encode

LIMIT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class _Drained:
    topics_per_s: float
    microseconds: Mapping[str, float]  # a topic, by process
    megabytes: Mapping[str, float]


def drain(sizes: Sizes) -> Iterator[Figure]:
    """a full stream of submissions until all are projected; 1 worker, 1 projector"""
    by_how = {how: _drain(how, sizes.topics) for how in HOW}
    ours, over_http, limit = by_how[LLM_IN_PROCESS], by_how[LLM_OVER_HTTP], by_how[BY_HAND]
    aim = Aim(at_least=2000, share=0.4)
    yield Figure(LLM_IN_PROCESS, "topics/s", ours.topics_per_s, limit.topics_per_s, aim=aim)
    yield Figure(LLM_OVER_HTTP, "topics/s", over_http.topics_per_s, limit.topics_per_s)
    for name in (WORKER, PROJECTING, VALKEY):
        yield Figure(f"CPU a topic, {name}", "µs", ours.microseconds[name], limit.microseconds[name])
    yield Figure(f"CPU a topic, worker, {LLM_OVER_HTTP}", "µs", over_http.microseconds[WORKER])
    for name, megabytes in over_http.megabytes.items():
        aim = Aim(at_most=130 if name == WORKER else None)
        yield Figure(f"memory at the end, {name}, {LLM_OVER_HTTP}", "MB", megabytes, limit.megabytes[name], aim=aim)


def _drain(how: str, topics: int) -> _Drained:
    """The rate is from the first outcome that the broker stored to the last topic that the projection counts."""
    with setting() as run, redis.Redis.from_url(run.valkey.url) as broker:
        asyncio.run(_fill(run.valkey.url, topics))
        run.start_worker(how)
        run.start_projector(how)
        costs = Costs(run.processes)
        _await(run, broker, costs, topics)
        ended = time.time()
        first = int(broker.xrange(SUBMISSION_OUTCOMES.name, count=1)[0][0].split(b"-")[0])
        return _Drained(topics / (ended - first / 1000), costs.microseconds(topics), costs.megabytes())


def _await(run: Setting, broker: redis.Redis, costs: Costs, topics: int) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while run.completed < topics:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{run.completed} of {topics} topics after {LIMIT_SECONDS} s")
        if broker.exists(SUBMISSION_OUTCOMES.name):
            costs.begin(WORKER)
            costs.begin(VALKEY)
        if run.has_projected:
            costs.begin(PROJECTING)
        time.sleep(0.02)
    for name in run.processes:
        costs.begin(name)  # few topics end between two looks


async def _fill(url: str, topics: int) -> None:
    transport = RedisTransport(url)
    await transport.provision()
    now = datetime.now(UTC)
    records = [
        encode(
            TopicSubmitted(id=topic_id(title), attempt=1, title=title, submitted_at=now, submitted_by="bench"),
            source="bench",
        )
        for title in (f"Benchmark topic number {n}" for n in range(topics))
    ]
    await transport.publish(records)
    await transport.close()
