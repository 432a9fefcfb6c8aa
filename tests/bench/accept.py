"""POST /topics until 202: titles a second in bulk, and requests a second of one title each."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.bench_deployment import API, BY_HAND, BenchDeployment, bench_deployment
from bench.figure import Aim, Figure
from bench.fill_streams import fill
from bench.processes import Costs
from bench.sizes import Sizes
from shared.db.engine import open_writer
from shared.db.migrate import migrate

CLIENT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class _Load:
    what: str
    connections: int
    titles: int  # a request
    aim: Aim

    def requests(self, sizes: Sizes) -> int:
        return max(1, sizes.titles // self.titles) if self.titles > 1 else sizes.posts


@dataclass(frozen=True, slots=True)
class _Accepted:
    titles_per_s: float
    client_percent: float  # of a core
    microseconds: Mapping[str, float]  # a title, by process
    megabytes: Mapping[str, float]


LOADS = (
    _Load("500 titles a request, 4 connections", 4, 500, Aim(at_least=10_000)),
    _Load("one title a request, 32 connections", 32, 1, Aim(at_least=700)),
)


def accept(sizes: Sizes) -> Iterator[Figure]:
    """POST /topics until 202, which is stored and synced; no worker and no projector runs"""
    topicflow, limits = (_accepted(server, sizes) for server in (API, BY_HAND))
    for load, product, limit in zip(LOADS, topicflow, limits, strict=True):
        yield Figure(load.what, "titles/s", product.titles_per_s, limit.titles_per_s, aim=load.aim)
        for name in (API, sizes.broker):
            yield Figure(f"… CPU a title, {name}", "µs", product.microseconds[name], limit.microseconds[name])
        yield Figure("… how busy the client is", "%", product.client_percent)
        yield Figure("… how busy the client is, at the limit", "%", limit.client_percent)
    for name in (API, sizes.broker):
        yield Figure(f"memory at the end, {name}", "MB", topicflow[-1].megabytes[name], limits[-1].megabytes[name])


def _accepted(server: str, sizes: Sizes) -> list[_Accepted]:
    with bench_deployment(sizes.on) as run:
        if server == BY_HAND:
            asyncio.run(fill(run.stack))
            run.start(API, "bench.bare_api", str(run.api_port))
        else:
            asyncio.run(_migrated(run.database_url))
            run.add("api", API)
        run.until("/ready")
        costs = Costs(run.processes)
        return [_sent(run, costs, load, sizes) for load in LOADS]


def _sent(run: BenchDeployment, costs: Costs, load: _Load, sizes: Sizes) -> _Accepted:
    requests = load.requests(sizes)
    arguments = map(str, (run.api_port, load.connections, requests, load.titles))
    costs.begin_anew()
    command = [sys.executable, "-m", "bench.load", *arguments]
    client = subprocess.run(command, capture_output=True, text=True, timeout=CLIENT_SECONDS)
    if client.returncode:
        raise RuntimeError(f"{client.stderr}\n{run.processes[API].output}")
    found = json.loads(client.stdout)
    return _Accepted(
        requests * load.titles / found["seconds"],
        100 * found["cpu_seconds"] / found["seconds"],
        costs.microseconds(found["titles_with_warm_up"]),
        costs.megabytes(),
    )


async def _migrated(database_url: str) -> None:
    """What the projector does at its start."""
    writer = open_writer(database_url)
    await migrate(writer, "projection")
    await writer.close()
