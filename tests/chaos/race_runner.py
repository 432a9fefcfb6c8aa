"""Runs races on two replicas of the API and the worker: random timing, varying call times, and checks at the end."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eventually import eventually
from integration.api import Api, Json
from servers import Deployment
from servers.stack import VALKEY

from chaos.checker import Checker
from chaos.consistency_monitor import ConsistencyMonitor
from chaos.oracle import StreamEvent, events_of, final_state_of
from shared.ids import topic_id

SPREAD = 3.0  # seconds in which the repetitions of a race begin
SLOWEST_CALL = 0.2  # seconds


@dataclass(frozen=True)
class RaceRunner:
    deployment: Deployment
    replicas: Sequence[Api]
    chance: random.Random

    @property
    def api(self) -> Api:
        """Any replica."""
        return self.chance.choice(self.replicas)

    @property
    def times(self) -> int:
        """Repetitions of a race: fewer on Kafka, so that all races together take minutes."""
        return 150 if self.deployment.stack.name == VALKEY else 60

    @property
    def checker(self) -> Checker:
        return Checker(self.deployment)

    async def later(self, at_most: float) -> None:
        await asyncio.sleep(self.chance.uniform(0, at_most))

    async def run(
        self, titles: Sequence[str], one: Callable[[str], Awaitable[None]], *others: Awaitable[None]
    ) -> dict[str, list[StreamEvent]]:
        """Runs the races of all titles and the other actions concurrently, and checks them as run_and_check does."""

        async def begin(title: str) -> None:
            await self.later(SPREAD)
            await one(title)

        return await self.run_and_check(titles, [*others, *map(begin, titles)])

    async def run_and_check(
        self, titles: Sequence[str], actions: Iterable[Awaitable[None]]
    ) -> dict[str, list[StreamEvent]]:
        """Runs all actions concurrently while counts are monitored, then checks each title against its events, and
        returns these by title."""
        with ConsistencyMonitor(self.deployment.database_url):
            async with self._varying_call_time():
                await asyncio.gather(*actions)
            await self.quiet()
        events = await events_of(self.deployment.stack, map(topic_id, titles))
        self.checker.assert_ends({id_: final_state_of(of_title) for id_, of_title in events.items()})
        self.checker.assert_history({id_: {one.event_id for one in of_title} for id_, of_title in events.items()})
        return {title: events[topic_id(title)] for title in titles}

    @asynccontextmanager
    async def _varying_call_time(self) -> AsyncIterator[None]:
        """Changes how long a call takes, all the time."""

        async def change() -> None:
            while True:
                await asyncio.to_thread(self.deployment.gemini.take, self.chance.uniform(0, SLOWEST_CALL))
                await self.later(0.1)

        changing = asyncio.create_task(change())
        yield
        changing.cancel()
        await asyncio.wait([changing])

    async def quiet(self) -> None:
        """Waits until nothing is in progress and everything is projected."""

        async def is_quiet() -> bool:
            waits: Json = (await self.api.http.get("/health")).json()["lag"]["topic-worker"]
            status = await self.api.get("/processing-status")
            return not (waits["waiting"] or waits["in_flight"] or status["is_processing"]) and (
                status["projection_lag_seconds"] == 0
            )

        await eventually(is_quiet, within=30)

    async def completed(self, titles: Sequence[str]) -> None:
        await self.api.submit(*titles)
        await self.quiet()

    async def failed(self, titles: Sequence[str], *, by: str) -> None:
        """Submits titles that Gemini refuses once, as they contain `by`; it would accept them now."""
        self.deployment.gemini.add_fault("block", title_contains=by)
        await self.api.submit(*titles)
        await self.quiet()
        self.deployment.gemini.forget_faults()
