"""Milliseconds from the submission of one title to its card in the projection, at a steady rate."""

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
from eventually import eventually

from bench.figure import Figure
from bench.setting import API, BY_HAND, HOW, LLM_IN_PROCESS, LLM_OVER_HTTP, Setting, setting
from bench.sizes import Sizes
from shared.events import TopicSubmitted, topic_id
from shared.transport.redis_streams.transport import RedisTransport
from shared.wire import encode

WARM_UP = 20


def latency(sizes: Sizes) -> Iterator[Figure]:
    """one title each, at a steady rate, from POST (the limit: from the broker) until its card is projected"""
    by_how = {how: _latency(how, sizes.rate, int(sizes.rate * sizes.seconds)) for how in HOW}
    for how in (LLM_IN_PROCESS, LLM_OVER_HTTP):
        for name, ours, limit in zip(("p50", "p99"), by_how[how], by_how[BY_HAND], strict=True):
            yield Figure(f"{name}, {how}", "ms", ours, limit)


def _latency(llm: str, rate: float, topics: int) -> tuple[float, float]:
    """(p50, p99) in milliseconds."""
    with setting() as run:
        if llm == BY_HAND:
            asyncio.run(_provision(run.valkey.url))
        else:
            run.add("api", API)
        run.start_worker(llm)
        run.start_projector(llm)
        found = asyncio.run(_measure(run, llm, rate, topics + WARM_UP))[WARM_UP:]
    return statistics.median(found) * 1000, statistics.quantiles(found, n=100)[98] * 1000


async def _provision(url: str) -> None:
    transport = RedisTransport(url)
    await transport.provision()
    await transport.close()


async def _measure(run: Setting, llm: str, rate: float, topics: int) -> list[float]:
    transport = RedisTransport(run.valkey.url)
    client = run.client()
    await _until_ready(run, llm)
    database = sqlite3.connect(f"file:{run.database_path}?mode=ro", uri=True)
    waiting: dict[str, float] = {}
    took: list[float] = []
    began = time.perf_counter()

    async def submit(n: int) -> None:
        title = f"Latency topic number {n}"
        waiting[topic_id(title)] = time.perf_counter()
        if llm == BY_HAND:
            event = TopicSubmitted(
                id=topic_id(title), attempt=1, title=title, submitted_at=datetime.now(UTC), submitted_by="bench"
            )
            await transport.publish([encode(event, source="bench")])
        else:
            (await client.post("/api/v1/topics", json={"topics": [title]})).raise_for_status()

    async def watch() -> None:
        while len(took) < topics:
            for id_ in list(waiting):
                query = "SELECT 1 FROM contents WHERE id = ?"
                if database.execute(query, (id_,)).fetchone():
                    took.append(time.perf_counter() - waiting.pop(id_))
            await asyncio.sleep(0.0005)

    watching = asyncio.create_task(watch())
    for n in range(topics):
        await asyncio.sleep(began + n / rate - time.perf_counter())
        await submit(n)
    await asyncio.wait_for(watching, 30)
    database.close()
    await client.aclose()
    await transport.close()
    return took


async def _until_ready(run: Setting, llm: str) -> None:
    async with run.client() as client:

        async def ready() -> bool:
            if llm == BY_HAND:
                return run.has_database
            try:
                is_ready = (await client.get("/ready")).is_success
                return is_ready and (await client.get("/api/v1/worker-status")).json()["worker_running"] is True
            except httpx.TransportError:
                return False

        await eventually(ready, within=20)
    await asyncio.sleep(1)  # let start-up work end
