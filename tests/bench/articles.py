"""Articles of the catalogue an hour, from a scan's start until the last one is projected: 1 enricher, and 3."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import psutil
from servers import LOOPBACK

from bench.bench_deployment import API, PROJECTING, BenchDeployment, bench_deployment
from bench.figure import Aim, Figure
from bench.fill_streams import fill
from bench.in_flight import busy, scheduled_seconds
from bench.processes import Costs
from bench.scale import all_at_work
from bench.sizes import Sizes
from shared.streams import ENRICHER
from simulators.catalog.articles import invented

REPLICAS = (1, 3)
IN_FLIGHT = 30  # articles of an enricher, as by default
CALLS = 2  # an article, one after the other
QUICK, ARTICLES = 0.4, 1500  # seconds that an article's calls take, and how many are enriched
AS_BEFORE, ROUNDS = 10.0, 3  # what the old system assumed; articles per slot
OLD_RATE = 360  # articles an hour that the old system promised for each replica
SCAN = 1  # in the projection it is completed too


@dataclass(frozen=True, slots=True)
class _Done:
    """`ideal`: seconds, if no place were ever empty. `busy`: of all cores."""

    articles: int
    seconds: float
    ideal: float
    cpu_an_article: float
    busy: float

    @property
    def per_hour(self) -> float:
        return 3600 * self.articles / self.seconds

    @property
    def ideal_per_hour(self) -> float:
        return 3600 * self.articles / self.ideal


def articles(sizes: Sizes) -> Iterator[Figure]:
    """from a scan's start until all are projected, 30 at a time and two calls each; limit: places never empty"""
    for replicas in REPLICAS:
        enrichers = f"{replicas} enricher{'s' * (replicas > 1)}"
        done = _done(replicas, QUICK, sizes.topics or ARTICLES, sizes)
        yield Figure(f"{enrichers}, calls of 0.2 s", "articles/h", done.per_hour, done.ideal_per_hour)
        yield Figure("… CPU an article, enrichers", "ms", done.cpu_an_article * 1000)
        yield Figure("… how busy the machine is", "%", done.busy * 100)
        done = _done(replicas, AS_BEFORE, sizes.topics or ROUNDS * IN_FLIGHT * replicas, sizes)
        aim = Aim(at_least=OLD_RATE * replicas)
        yield Figure(f"{enrichers}, 10 s an article", "articles/h", done.per_hour, done.ideal_per_hour, aim=aim)


def _done(replicas: int, seconds: float, number: int, sizes: Sizes) -> _Done:
    """`seconds`: that an article's calls take."""
    with bench_deployment(sizes.on) as run:
        asyncio.run(fill(run.stack))
        _only_made(run, number)
        run.gemini.start()
        run.gemini.take(seconds / CALLS)
        enrichers = [f"{ENRICHER}-{n + 1}" for n in range(replicas)]
        for name in enrichers:
            run.add(ENRICHER, name)
        run.start_projector(PROJECTING)
        run.add("api", API)
        run.until("/ready")
        asyncio.run(all_at_work(run, ENRICHER, replicas))
        costs, machine = Costs(run.processes), psutil.cpu_times()
        costs.begin_anew()
        took = _enriched(run, number)
        cpu = costs.microseconds(number)
        assert run.gemini.calls["calls"] == CALLS * number
        return _Done(
            articles=number,
            seconds=took,
            ideal=scheduled_seconds([seconds] * number, IN_FLIGHT * replicas),
            cpu_an_article=sum(cpu[name] for name in enrichers) / 1e6,
            busy=busy(machine, psutil.cpu_times()),
        )


def _only_made(run: BenchDeployment, number: int) -> None:
    """The catalogue has `number` articles, all alike."""
    run.catalog.begin(made=number)
    for urn in invented():
        run.catalog.remove(urn)


def _enriched(run: BenchDeployment, number: int) -> float:
    """Seconds from the request for the scan until the projection counts the last article as completed."""
    began = time.perf_counter()
    answer = httpx.post(f"http://{LOOPBACK}:{run.api_port}/api/v1/articles/scan", trust_env=False, timeout=30)
    answer.raise_for_status()
    for _ in run.completing(number + SCAN):
        time.sleep(0.01)
    return time.perf_counter() - began
