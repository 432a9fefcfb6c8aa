"""What befalls many replicas: killed, frozen, stopped and added at random moments; broker and database restarted."""

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
    """`befell`: how often what happened."""

    deployed: Deployment
    broker: OwnServer
    database: OwnServer
    chance: random.Random
    befell: Counter[str] = field(default_factory=Counter)
    _replicas: list[tuple[str, Process]] = field(default_factory=list)
    _frozen: list[Process] = field(default_factory=list)
    _thawing: set[asyncio.Task[None]] = field(default_factory=set)

    def add(self, service: str) -> None:
        self._replicas.append((service, self.deployed.add(service)))

    async def rage(self, seconds: float, strikes: int) -> None:
        """So many strikes at replicas, and two restarts each of broker and database."""
        planned: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (self.chance.uniform(0, seconds), self._strike) for _ in range(strikes)
        ]
        planned += [(seconds * share, self._restart_broker) for share in (0.25, 0.75)]
        planned += [(seconds * share, self._restart_database) for share in (0.4, 0.9)]
        began = asyncio.get_running_loop().time()
        for at, strike in sorted(planned, key=lambda planned: planned[0]):
            await asyncio.sleep(max(0.0, began + at - asyncio.get_running_loop().time()))
            await strike()
        await asyncio.gather(*self._thawing)

    async def _strike(self) -> None:
        """There are always as many replicas as before: who is killed or stopped is followed by a new one."""
        service, victim = self.chance.choice([(s, p) for s, p in self._replicas if p not in self._frozen])
        match self.chance.choice(["kill", "freeze", "stop", "add"]):
            case "kill":
                self._say("killed", service)
                victim.kill()
                self._replaced(service, victim)
            case "stop":
                self._say("stopped", service)
                await asyncio.to_thread(victim.stop)
                self._replaced(service, victim)
            case "freeze":
                self._say("frozen", service)
                victim.freeze()
                self._frozen.append(victim)
                self._thawing.add(asyncio.create_task(self._thaw(victim)))
            case "add":
                self._say("added", WORKER)
                self.add(WORKER)

    def _replaced(self, service: str, gone: Process) -> None:
        self._replicas.remove((service, gone))
        self.add(service)

    async def _thaw(self, frozen: Process) -> None:
        await asyncio.sleep(FROZEN)
        frozen.thaw()
        self._frozen.remove(frozen)

    async def _restart_broker(self) -> None:
        self._say("restarted", "broker")
        await asyncio.to_thread(self.broker.kill)
        await asyncio.to_thread(self.broker.start)

    async def _restart_database(self) -> None:
        self._say("restarted", "database")
        await asyncio.to_thread(self.database.kill)
        await asyncio.to_thread(self.database.start)

    def _say(self, what: str, whom: str) -> None:
        self.befell[f"{what} {whom}"] += 1

    @property
    def may_be_paid_twice(self) -> int:
        """What killed and frozen workers had in flight, and what was in flight on partitions that moved: of a member
        that comes or goes at most its own share, of a broker that was away everybody's."""
        times = {"killed": 1, "frozen": 2, "stopped": 1, "added": 1}
        changes = sum(self.befell[f"{what} {WORKER}"] * n for what, n in times.items())
        workers = sum(service == WORKER for service, _ in self._replicas)
        return changes + self.befell["restarted broker"] * workers


SERVICES = (WORKER, WORKER, WORKER, PROJECTOR, PROJECTOR)
