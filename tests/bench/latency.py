"""Milliseconds from the submission of one title to its card in the projection, at a steady rate."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator

import httpx
from eventually import eventually

from bench.bench_deployment import API, BY_HAND, HOW, LLM_IN_PROCESS, LLM_OVER_HTTP, BenchDeployment, bench_deployment
from bench.figure import NO_AIM, Aim, Figure
from bench.fill_streams import fill, submission
from bench.sizes import Sizes
from shared.ids import topic_id

WARM_UP = 20
LOOKS_EVERY = 0.001  # seconds, while something is waited for: a look is one short query
AIMS = {LLM_IN_PROCESS: (Aim(at_most=10), Aim(at_most=30)), LLM_OVER_HTTP: (NO_AIM, NO_AIM)}
Submit = Callable[[str], Awaitable[None]]  # one title


def latency(sizes: Sizes) -> Iterator[Figure]:
    """one title each, at a steady rate, from POST (the limit: from the broker) until its card is projected"""
    by_how = {how: _latency(how, sizes) for how in HOW}
    for how, aims in AIMS.items():
        for name, measured, limit, aim in zip(("p50", "p99"), by_how[how], by_how[BY_HAND], aims, strict=True):
            yield Figure(f"{name}, {how}", "ms", measured, limit, aim=aim)


def _latency(how: str, sizes: Sizes) -> tuple[float, float]:
    """(p50, p99) in milliseconds."""
    with bench_deployment(sizes.on) as run:
        asyncio.run(fill(run.stack))
        if how != BY_HAND:
            run.add("api", API)
        run.start_worker(how)
        run.start_projector(how)
        found = asyncio.run(_measured(run, how, sizes.rate, int(sizes.rate * sizes.seconds)))
    return statistics.median(found) * 1000, statistics.quantiles(found, n=100)[98] * 1000


async def _measured(run: BenchDeployment, how: str, rate: float, topics: int) -> list[float]:
    """Seconds, of each after the warm-up."""
    await _until_ready(run, how)
    transport, client = run.stack.connect(), run.client()

    async def to_broker(title: str) -> None:
        await transport.publish([submission(title)])

    async def to_api(title: str) -> None:
        (await client.post("/api/v1/topics", json={"topics": [title]})).raise_for_status()

    submit = to_broker if how == BY_HAND else to_api
    await _submitted(run, submit, 1, 1)  # from here on all processes are at work
    took = await _submitted(run, submit, rate, WARM_UP + topics)
    await client.aclose()
    await transport.close()
    return took[WARM_UP:]


async def _submitted(run: BenchDeployment, submit: Submit, rate: float, topics: int) -> list[float]:
    """Seconds that each took, in the order in which they were seen."""
    waiting: dict[str, float] = {}
    took: list[float] = []

    async def watch() -> None:
        while len(took) < topics:
            if waiting:
                seen = run.projection.with_content(waiting.keys())
                took.extend(time.perf_counter() - waiting.pop(id_) for id_ in seen)
            await asyncio.sleep(LOOKS_EVERY)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    for n in range(topics):
        await asyncio.sleep(began + n / rate - time.perf_counter())
        title = f"Latency topic number {n} of {topics}"
        waiting[topic_id(title)] = time.perf_counter()
        await submit(title)
    await asyncio.wait_for(watching, 30)
    return took


async def _until_ready(run: BenchDeployment, how: str) -> None:
    async with run.client() as client:

        async def ready() -> bool:
            if how == BY_HAND:
                return run.projection.has_position
            try:
                is_ready = (await client.get("/ready")).is_success
                return is_ready and (await client.get("/api/v1/worker-status")).json()["worker_running"] is True
            except httpx.TransportError:
                return False

        await eventually(ready, within=30)
