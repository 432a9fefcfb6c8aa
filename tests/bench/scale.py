"""Topics a second of one, two and four topic-workers whose LLM takes its time: what one more of them adds."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from eventually import eventually
from integration.databases import rows

from bench.bench_deployment import PROJECTING, WORKER, BenchDeployment, bench_deployment
from bench.figure import NO_AIM, Aim, Figure
from bench.fill_streams import fill, submission
from bench.in_process_worker import GROUP, IN_FLIGHT
from bench.sizes import Sizes
from shared.events import WorkerHeartbeat

REPLICAS = (1, 2, 4)
LLM_SECONDS = 0.2
OF_THE_LLM = IN_FLIGHT / LLM_SECONDS  # topics a second of a replica, if nothing else took any time
MARGIN = timedelta(seconds=1)  # after all have work, and before the first one runs out of it
MORE = 5.0  # seconds of work beside what is measured: for the margins, the filling, and what one has less than others
AIMS = {1: NO_AIM, 2: NO_AIM, 4: Aim(share=0.95)}


def scale(sizes: Sizes) -> Iterator[Figure]:
    """workers whose LLM takes 200 ms, while all have work; limit: what that allows one, then a multiple of one"""
    one = OF_THE_LLM
    for replicas in REPLICAS:
        found = _topics_per_s(replicas, sizes)
        yield Figure(f"{replicas} worker{'s' * (replicas > 1)}", "topics/s", found, replicas * one, aim=AIMS[replicas])
        one = found if replicas == 1 else one


def _topics_per_s(replicas: int, sizes: Sizes) -> float:
    """The projector begins when the workers have ended: until then the machine is theirs."""
    topics = int(replicas * OF_THE_LLM * (sizes.seconds + MORE))
    with bench_deployment(sizes.on) as run:
        asyncio.run(fill(run.stack))
        for n in range(replicas):
            run.start(f"{WORKER}-{n + 1}", "bench.in_process_worker", str(LLM_SECONDS))
        asyncio.run(all_at_work(run, GROUP, replicas))
        asyncio.run(fill(run.stack, (submission(f"Scaled topic number {n}") for n in range(topics))))
        filled = datetime.now(UTC)
        asyncio.run(_settled(run))
        run.start_projector(PROJECTING)
        for _ in run.completing(topics):
            time.sleep(0.1)
        ends = rows(run.database_url, "SELECT worker, ended_at FROM submissions")
    by_worker: dict[str, list[datetime]] = defaultdict(list)
    for worker, at in ends:
        by_worker[worker].append(datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert len(by_worker) == replicas, f"only {', '.join(by_worker)} had work"
    return steady(list(by_worker.values()), filled)


def steady(ends: Sequence[Sequence[datetime]], filled: datetime) -> float:
    """How many ended a second while all worked: `ends` of each, and when the last work came."""
    began = max(filled, *map(min, ends)) + MARGIN
    ran_out = min(map(max, ends)) - MARGIN
    assert began < ran_out, f"not all had work for so long: {MARGIN} after {began} is {MARGIN} before {ran_out}"
    return sum(began <= end < ran_out for of in ends for end in of) / (ran_out - began).total_seconds()


async def all_at_work(run: BenchDeployment, service: str, replicas: int) -> None:
    """Waits until `replicas` processes of the service have published a heartbeat."""
    transport = run.stack.connect()
    found: set[str] = set()

    def on_heartbeat(beat: WorkerHeartbeat, _: datetime) -> None:
        if beat.service == service:
            found.add(beat.instance)

    following = asyncio.create_task(transport.follow_heartbeats(on_heartbeat))
    await eventually(lambda: len(found) == replicas, within=60)
    following.cancel()
    await asyncio.wait([following])
    await transport.close()


async def _settled(run: BenchDeployment) -> None:
    """Waits until the group has no backlog."""
    transport = run.stack.connect()
    while (await transport.lag(GROUP)).backlog:
        run.must_live()
        await asyncio.sleep(0.5)
    await transport.close()
