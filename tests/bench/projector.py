"""The status-projector alone, on a stream that is full: what its work costs without anybody else's."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bench.card import CARD
from bench.drain import LIMIT_SECONDS
from bench.figure import Figure
from bench.processes import Costs
from bench.setting import BY_HAND, PROJECTING, setting
from bench.sizes import Sizes
from shared.events import SubmissionCompleted, SubmissionStarted, TopicSubmitted, topic_id
from shared.transport.redis_streams.transport import RedisTransport
from shared.wire import Record, encode

EVENTS = 3  # of each topic


def projector(sizes: Sizes) -> Iterator[Figure]:
    """the projector alone, catching up on topics' events: submitted, started, completed"""
    (ours, our_cpu, megabytes), (limit, limit_cpu, limit_megabytes) = (
        _catch_up(how, sizes.topics, sizes.database) for how in (PROJECTING, BY_HAND)
    )
    yield Figure("catching up", "events/s", ours, limit)
    yield Figure("CPU an event", "µs", our_cpu, limit_cpu)
    yield Figure("memory at the end", "MB", megabytes, limit_megabytes)


def _catch_up(how: str, topics: int, database: str) -> tuple[float, float, float]:
    """Events a second, microseconds of CPU an event, both from its first batch on; megabytes."""
    with setting(database=database) as run:
        asyncio.run(_fill(run.valkey.url, topics))
        run.start_projector(how)
        costs = Costs(run.processes)
        deadline = time.monotonic() + LIMIT_SECONDS
        while not (before := run.asked("SELECT count(*) FROM history")):
            time.sleep(0.002)
            assert time.monotonic() < deadline, run.processes[PROJECTING].said
        began = time.perf_counter()
        costs.begin(PROJECTING)
        while run.completed < topics:
            time.sleep(0.005)
            assert time.monotonic() < deadline, run.processes[PROJECTING].said
        took = time.perf_counter() - began
        events = max(1, EVENTS * topics - before)
        return events / took, costs.microseconds(events)[PROJECTING], costs.megabytes()[PROJECTING]


async def _fill(url: str, topics: int) -> None:
    transport = RedisTransport(url)
    await transport.provision()
    await transport.publish([record for n in range(topics) for record in _story(f"Projected topic number {n}")])
    await transport.close()


def _story(title: str) -> list[Record]:
    about: dict[str, Any] = {"id": topic_id(title), "attempt": 1, "title": title, "submitted_at": datetime.now(UTC)}
    of_run = about | {"kind": "topic", "run": f"run of {title}", "worker": "bench"}
    events = (
        TopicSubmitted(**about, submitted_by="bench"),
        SubmissionStarted(**of_run),
        SubmissionCompleted(**of_run, content=CARD | {"title": title}, simulated=True),
    )
    return [encode(event, source="bench") for event in events]
