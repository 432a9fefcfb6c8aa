"""Workers for tests: a consumer loop on a member of the group, and a handler with configured answers."""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from contract.brokers import Broker
from contract.submissions import OUTCOMES, stored
from eventually import eventually

from shared.events import Outcome, SubmissionCompleted, SubmissionFailed, TopicSubmitted, WorkRequested
from shared.ids import topic_id
from shared.messaging.broker import Consumer, Delivery, Lag, Settled
from shared.resilience.backoff import RetryPolicy
from shared.worker.consumer_loop import ConsumerLoop, Limits
from shared.worker.run import Run

SOON = RetryPolicy(first_pause=0.02, longest_pause=0.1)
Answer = Exception | Callable[[], Awaitable[object]]


class Handler:
    """Gives the configured answers of a title in order, then `default_error` or a card."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.running: Counter[str] = Counter()
        self.most_running = 0
        self.most_concurrent: dict[str, int] = {}  # by title: the most concurrent calls with it, itself included
        self.default_error: Exception | None = None
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)

    def answer(self, title: str, *answers: Answer) -> None:
        self._answers[title].extend(answers)

    def called(self, title: str) -> int:
        return sum(called == title for called, _ in self.calls)

    async def __call__(self, event: WorkRequested, run: Run) -> SubmissionCompleted:
        assert isinstance(event, TopicSubmitted)
        self.calls.append((event.title, event.attempt))
        self.running[event.title] += 1
        self.most_running = max(self.most_running, self.running.total())
        for title in +self.running:
            self.most_concurrent[title] = max(self.running.total(), self.most_concurrent.get(title, 0))
        try:
            await self._answer(event.title)
        finally:
            self.running[event.title] -= 1
        return run.completed({"title": event.title}, simulated=True)

    async def _answer(self, title: str) -> None:
        await asyncio.sleep(0.005)  # what a call takes
        answer = self._answers[title].popleft() if self._answers[title] else None
        if isinstance(answer, Exception):
            raise answer
        if answer:
            await answer()
        if self.default_error:
            raise self.default_error


@dataclass
class Slow:
    """A member whose broker delays stores by `store` seconds, their answers by `answer`, starts by `start`."""

    member: Consumer
    store: float = 0.0
    answer: float = 0.0
    start: float = 0.0
    stores: list[tuple[float, int]] = field(default_factory=list)  # when each was requested, and how many

    async def fetch(self, limit: int, timeout: float) -> list[Delivery]:
        return await self.member.fetch(limit, timeout)

    async def started(self, deliveries: Sequence[Delivery]) -> Collection[Delivery]:
        if self.start:  # sleep(0) would let other deliveries in between
            await asyncio.sleep(self.start)
        return await self.member.started(deliveries)

    async def waiting(self, deliveries: Sequence[Delivery]) -> None:
        await self.member.waiting(deliveries)

    async def settle(self, batch: Sequence[Settled]) -> None:
        self.stores.append((time.monotonic(), len(batch)))
        await asyncio.sleep(self.store)
        await self.member.settle(batch)
        await asyncio.sleep(self.answer)

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        await self.member.hand_back(deliveries)

    async def group_share(self) -> float:
        return await self.member.group_share()

    async def close(self) -> None:
        await self.member.close()


@dataclass(eq=False)
class Worker:
    broker: Broker
    name: str
    consumer: Consumer
    loop: ConsumerLoop
    running: asyncio.Task[None]
    stores: list[tuple[float, int]]

    @property
    def unsettled_calls(self) -> int:
        """Calls in flight, and those whose outcomes are not stored yet."""
        return sum(delivery.is_running for delivery in self.loop._in_flight)

    async def stop(self) -> None:
        """SIGTERM; raises the error that stopped it."""
        self.loop.stop()
        await asyncio.wait_for(asyncio.shield(self.running), 30)

    async def kill(self) -> None:
        """SIGKILL."""
        self.running.cancel()
        await asyncio.wait([self.running])
        await self.broker.kill(self.consumer)

    async def end(self) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])
        await self.consumer.close()


@dataclass
class Workers:
    broker: Broker
    handler: Handler = field(default_factory=Handler)
    started: list[Worker] = field(default_factory=list)

    async def start(
        self,
        name: str = "a",
        policy: RetryPolicy = SOON,
        store: float = 0.0,
        answer: float = 0.0,
        start: float = 0.0,
        **limits: Any,
    ) -> Worker:
        """`store`, `answer`, `start`: delays of its broker in seconds."""
        consumer = await self.broker.member(name)
        worker_limits = Limits(**{"poll": 0.1, "shutdown_timeout": 5.0} | limits)
        slow = Slow(consumer, store, answer, start)
        loop = ConsumerLoop(slow, self.handler, worker=name, limits=worker_limits, policy=policy)
        running = asyncio.create_task(loop.run(), name=f"worker {name}")
        self.started.append(Worker(self.broker, name, consumer, loop, running, slow.stores))
        return self.started[-1]

    async def outcomes(self, title: str = "") -> list[Outcome]:
        """Of one submission, or of all."""
        found = [event for event in await stored(self.broker.transport, OUTCOMES) if isinstance(event, Outcome)]
        return [outcome for outcome in found if not title or outcome.id == topic_id(title)]

    async def outcome_names(self, title: str) -> list[str]:
        return [type(outcome).__name__.removeprefix("Submission") for outcome in await self.outcomes(title)]

    async def completed(self) -> Counter[str]:
        """The number of completed runs by title; an event published again after a lost answer counts once."""
        runs = {(o.id, o.run): o.title or "" for o in await self.outcomes() if isinstance(o, SubmissionCompleted)}
        return Counter(runs.values())

    async def failed(self) -> dict[str, SubmissionFailed]:
        return {o.title or "": o for o in await self.outcomes() if isinstance(o, SubmissionFailed)}

    async def settled(self, within: float = 10) -> None:
        """Waits until the group has no backlog."""

        async def nothing_left() -> bool:
            return await self.broker.transport.lag("topic-worker") == Lag(0, 0)

        for worker in self.started:
            if worker.running.done() and not worker.running.cancelled():
                worker.running.result()
        await eventually(nothing_left, within=within)

    async def end(self) -> None:
        for worker in self.started:
            await worker.end()


async def remains(condition: Callable[[], object], *, during: float) -> None:
    """Asserts that the condition holds for this number of seconds."""
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        assert condition()
        await asyncio.sleep(0.05)
