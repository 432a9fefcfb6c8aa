"""Random faults: kills, freezes, stops and adds replicas at random times, and restarts broker and database."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from servers import Deployment, Process
from servers.found import OwnServer

from shared.streams import PROJECTOR

WORKER = "topic-worker"
FROZEN = 15.0  # seconds


@dataclass
class Storm:
    """`counts`: of each kind of fault."""

    deployed: Deployment
    broker: OwnServer
    database: OwnServer
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    _replicas: list[tuple[str, Process]] = field(default_factory=list)
    _frozen: list[Process] = field(default_factory=list)
    _thawing: set[asyncio.Task[None]] = field(default_factory=set)

    def add(self, service: str) -> None:
        self._replicas.append((service, self.deployed.add(service)))

    async def run(self, seconds: float, faults: int) -> None:
        """This number of faults of replicas, and two restarts each of broker and database."""
        planned: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (self.chance.uniform(0, seconds), self._inject_fault) for _ in range(faults)
        ]
        planned += [(seconds * share, self._restart_broker) for share in (0.25, 0.75)]
        planned += [(seconds * share, self._restart_database) for share in (0.4, 0.9)]
        began = asyncio.get_running_loop().time()
        for at, inject in sorted(planned, key=lambda planned: planned[0]):
            await asyncio.sleep(max(0.0, began + at - asyncio.get_running_loop().time()))
            await inject()
        await asyncio.gather(*self._thawing)

    async def _inject_fault(self) -> None:
        """A killed or stopped replica is replaced by a new one."""
        service, victim = self.chance.choice([(s, p) for s, p in self._replicas if p not in self._frozen])
        match self.chance.choice(["kill", "freeze", "stop", "add"]):
            case "kill":
                self._count("killed", service)
                victim.kill()
                self._replaced(service, victim)
            case "stop":
                self._count("stopped", service)
                await asyncio.to_thread(victim.stop)
                self._replaced(service, victim)
            case "freeze":
                self._count("frozen", service)
                victim.freeze()
                self._frozen.append(victim)
                self._thawing.add(asyncio.create_task(self._thaw(victim)))
            case "add":
                self._count("added", WORKER)
                self.add(WORKER)

    def _replaced(self, service: str, gone: Process) -> None:
        self._replicas.remove((service, gone))
        self.add(service)

    async def _thaw(self, frozen: Process) -> None:
        await asyncio.sleep(FROZEN)
        frozen.thaw()
        self._frozen.remove(frozen)

    async def _restart_broker(self) -> None:
        self._count("restarted", "broker")
        await asyncio.to_thread(self.broker.kill)
        await asyncio.to_thread(self.broker.start)

    async def _restart_database(self) -> None:
        self._count("restarted", "database")
        await asyncio.to_thread(self.database.kill)
        await asyncio.to_thread(self.database.start)

    def _count(self, what: str, target: str) -> None:
        self.counts[f"{what} {target}"] += 1

    @property
    def most_paid_twice(self) -> int:
        """Of killed and frozen workers and of moved partitions, in multiples of one worker's work in flight. A member
        that joins or leaves moves at most its own share, a broker restart everything."""
        times = {"killed": 1, "frozen": 2, "stopped": 1, "added": 1}
        changes = sum(self.counts[f"{what} {WORKER}"] * n for what, n in times.items())
        workers = sum(service == WORKER for service, _ in self._replicas)
        return changes + self.counts["restarted broker"] * workers


SERVICES = (WORKER, WORKER, WORKER, PROJECTOR, PROJECTOR)
