"""How a worker runs: what it settles, beside its heartbeat and what all workers are told, until it is to stop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from faststream import FastStream

from shared.events import Event, WaitingFor, WorkerPaused
from shared.messaging import connect
from shared.messaging.broker import Consumer
from shared.messaging.settings import BrokerSettings
from shared.observability import metrics
from shared.resilience.backoff import RetryPolicy
from shared.service.bootstrap import reach, run_beside
from shared.service.heartbeat import beat
from shared.service.ops_server import Ops
from shared.service.stall_detector import NotReady
from shared.settings import env
from shared.worker.consumer_loop import Limits, Settlement
from shared.worker.delivery import Handler

log = structlog.get_logger()


class WorkSettings(BrokerSettings):
    """`in_flight` submissions; seconds: `held` before one that waits goes to the tail, `stop` for calls at a stop,
    `longest_pause` between two looks whether an outage is over."""

    in_flight: int = env("TOPICFLOW_IN_FLIGHT", default=30, ge=1, le=1000)
    held_seconds: float = env("TOPICFLOW_HELD_SECONDS", default=60.0, gt=0)
    longest_pause: float = env("TOPICFLOW_LONGEST_PAUSE_SECONDS", default=30.0, gt=0)
    stop_seconds: float = env("TOPICFLOW_STOP_SECONDS", default=20.0, ge=0)


class Worker:
    """A process of a service, a member of each group that it settles for. Each group has a window and a gate of its
    own, so what one waits for holds back no other."""

    def __init__(self, service: str, instance: str, settings: WorkSettings, opened: AsyncExitStack) -> None:
        """What it opens is closed when `opened` is."""
        self._service = service
        self._instance = instance
        self._settings = settings
        self._opened = opened
        self._transport = connect(settings)
        self._settlements: list[Settlement] = []
        self._groups: list[str] = []
        opened.push_async_callback(self._transport.close)

    async def join(self, *groups: str) -> list[Consumer]:
        """Raises CannotGoOn."""
        await reach(self._transport, *groups)
        self._groups += groups
        consumers = []
        for group in groups:
            consumer = await self._transport.consumer(group, self._instance)
            self._opened.push_async_callback(consumer.close)
            consumers.append(consumer)
        return consumers

    def settle(self, consumer: Consumer, handler: Handler) -> None:
        told = self._settings
        limits = Limits(told.in_flight, told.held_seconds, told.stop_seconds)
        policy = RetryPolicy(longest_pause=told.longest_pause)
        self._settlements.append(Settlement(consumer, handler, worker=self._instance, limits=limits, policy=policy))

    async def run(
        self,
        ops: Ops,
        note: Callable[[Event], None],
        status: Callable[[], Mapping[str, Any]],
        background: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """`note`: what all workers are told, which comes before any work. `status`: more fields of the heartbeats.
        `background`: runs meanwhile; it may end before, and its errors stop nothing."""
        ops.checks = [self._gets_on, *(partial(self._transport.lag, group) for group in self._groups)]
        ops.before_scrape = self._show
        may_begin = asyncio.Event()

        async def settling(settlement: Settlement) -> None:
            await may_begin.wait()
            await settlement.run()

        def hear(event: Event) -> None:
            if isinstance(event, WorkerPaused) and event.service == self._service:
                for settlement in self._settlements:
                    settlement.gate.pause(event.at if event.paused else None)
                log.info("paused" if event.paused else "going on after a pause", by=event.by)
            note(event)

        @asynccontextmanager
        async def lifespan() -> AsyncIterator[None]:
            beside = asyncio.create_task(background())
            told = self._transport.follow_control(hear, may_begin.set)
            beating = beat(self._transport, self._service, self._instance, partial(self._now, status))
            async with run_beside(app, *map(settling, self._settlements), told, beating) as running:
                try:
                    yield
                finally:
                    for settlement in self._settlements:
                        settlement.stop()
                    may_begin.set()
                    await asyncio.wait(running[: len(self._settlements)])
                    beside.cancel()

        app = FastStream(self._transport.shell(), lifespan=lifespan, logger=None)
        await app.run()

    async def _gets_on(self) -> None:
        """Raises NotReady."""
        for settlement in self._settlements:
            settlement.progress.check()
            if error := settlement.outbox.broker_error:
                raise NotReady(f"outcomes wait to be stored: {error}")

    @property
    def _waits(self) -> Sequence[WaitingFor]:
        """The longest first."""
        waits = [waiting for settlement in self._settlements if (waiting := settlement.gate.waiting_for)]
        return sorted(waits, key=lambda waiting: waiting.since)

    def _now(self, status: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "in_flight": sum(settlement.in_flight for settlement in self._settlements),
            "processed": sum(settlement.processed for settlement in self._settlements),
            "failed": sum(settlement.failed for settlement in self._settlements),
            "waiting_for": next(iter(self._waits), None),
            **status(),
        }

    def _show(self) -> None:
        now = datetime.now(UTC)
        metrics.IN_FLIGHT.show({(): sum(settlement.in_flight for settlement in self._settlements)})
        metrics.WAITING.show({(wait.reason,): (now - wait.since).total_seconds() for wait in reversed(self._waits)})
