"""Two replicas of everything that calls, and what a race needs: chance, an uneven Gemini, the judgement at the end."""

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
from chaos.looks import Looks
from chaos.oracle import Said, end_of, said_of
from shared.ids import topic_id

SPREAD = 3.0  # seconds in which the repetitions of a race begin
SLOWEST_CALL = 0.2  # seconds


@dataclass(frozen=True)
class Arena:
    deployment: Deployment
    replicas: Sequence[Api]
    chance: random.Random

    @property
    def api(self) -> Api:
        """Any replica."""
        return self.chance.choice(self.replicas)

    @property
    def times(self) -> int:
        """How often a race is run: on Kafka less often, so that all of them together take minutes."""
        return 150 if self.deployment.stack.name == VALKEY else 60

    @property
    def checker(self) -> Checker:
        return Checker(self.deployment)

    async def later(self, at_most: float) -> None:
        await asyncio.sleep(self.chance.uniform(0, at_most))

    async def race(
        self, titles: Sequence[str], one: Callable[[str], Awaitable[None]], *others: Awaitable[None]
    ) -> dict[str, list[Said]]:
        """Each title's race beside the others' and beside what else is done, judged as below."""

        async def begin(title: str) -> None:
            await self.later(SPREAD)
            await one(title)

        return await self.judged(titles, [*others, *map(begin, titles)])

    async def judged(self, titles: Sequence[str], deeds: Iterable[Awaitable[None]]) -> dict[str, list[Said]]:
        """All at once while counts are looked at; then each title's end is what the streams say, which is answered."""
        with Looks(self.deployment.database_url):
            async with self._pace():
                await asyncio.gather(*deeds)
            await self.quiet()
        told = await said_of(self.deployment.stack, map(topic_id, titles))
        self.checker.assert_ends({id_: end_of(said) for id_, said in told.items()})
        self.checker.assert_history({id_: {one.event_id for one in said} for id_, said in told.items()})
        return {title: told[topic_id(title)] for title in titles}

    @asynccontextmanager
    async def _pace(self) -> AsyncIterator[None]:
        """Every call takes another time."""

        async def change() -> None:
            while True:
                await asyncio.to_thread(self.deployment.gemini.take, self.chance.uniform(0, SLOWEST_CALL))
                await self.later(0.1)

        changing = asyncio.create_task(change())
        yield
        changing.cancel()
        await asyncio.wait([changing])

    async def quiet(self) -> None:
        """Until nothing is under way and everything is projected."""

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
        """Gemini refused those that contain `by`, once, and would take them now."""
        self.deployment.gemini.tell("block", title_contains=by)
        await self.api.submit(*titles)
        await self.quiet()
        self.deployment.gemini.forget_faults()
