"""Runs a worker: its consumer loops, its heartbeat, and the events that all workers follow, until it is stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from faststream import FastStream

from shared.events import Event, WaitingFor, WorkerPauseChanged
from shared.messaging import connect
from shared.messaging.broker import Consumer
from shared.messaging.settings import BrokerSettings
from shared.observability import metrics
from shared.resilience.backoff import RetryPolicy
from shared.service.bootstrap import run_beside, wait_until_ready
from shared.service.heartbeat import beat
from shared.service.ops_server import Ops
from shared.service.stall_detector import NotReady
from shared.settings import env
from shared.worker.consumer_loop import ConsumerLoop, Limits
from shared.worker.delivery import Handler

log = structlog.get_logger()


class WorkSettings(BrokerSettings):
    """`in_flight` submissions. Seconds: `held_seconds` until a waiting one is requeued, `stop_seconds` for calls when
    the worker stops, `longest_pause` between probes during an outage."""

    in_flight: int = env("TOPICFLOW_IN_FLIGHT", default=30, ge=1, le=1000)
    held_seconds: float = env("TOPICFLOW_HELD_SECONDS", default=60.0, gt=0)
    longest_pause: float = env("TOPICFLOW_LONGEST_PAUSE_SECONDS", default=30.0, gt=0)
    stop_seconds: float = env("TOPICFLOW_STOP_SECONDS", default=20.0, ge=0)


class Worker:
    """A process of a service, and a member of each group that it consumes for. Each group has its own concurrency limit
    and circuit breaker, so an outage of one does not hold back the others."""

    def __init__(self, service: str, instance: str, settings: WorkSettings, opened: AsyncExitStack) -> None:
        """`opened` closes the worker's connections."""
        self._service = service
        self._instance = instance
        self._settings = settings
        self._opened = opened
        self._transport = connect(settings)
        self._loops: list[ConsumerLoop] = []
        self._groups: list[str] = []
        opened.push_async_callback(self._transport.close)

    async def join(self, *groups: str) -> list[Consumer]:
        """Raises CannotGoOn."""
        await wait_until_ready(self._transport, *groups)
        self._groups += groups
        consumers = []
        for group in groups:
            consumer = await self._transport.consumer(group, self._instance)
            self._opened.push_async_callback(consumer.close)
            consumers.append(consumer)
        return consumers

    def consume(self, consumer: Consumer, handler: Handler) -> None:
        """What `run` does with the deliveries of a consumer."""
        settings = self._settings
        limits = Limits(settings.in_flight, settings.held_seconds, settings.stop_seconds)
        policy = RetryPolicy(longest_pause=settings.longest_pause)
        self._loops.append(ConsumerLoop(consumer, handler, worker=self._instance, limits=limits, policy=policy))

    async def run(
        self,
        ops: Ops,
        on_event: Callable[[Event], None],
        status: Callable[[], Mapping[str, Any]],
        background: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """`on_event`: receives every control event, the current ones before any work starts. `status`: more heartbeat
        fields. `background`: runs meanwhile; it may end early, and its errors stop nothing."""
        ops.checks = [self._check_ready, *(partial(self._transport.lag, group) for group in self._groups)]
        ops.before_scrape = self._update_metrics
        has_caught_up = asyncio.Event()

        async def consuming(loop: ConsumerLoop) -> None:
            await has_caught_up.wait()
            await loop.run()

        def on_control_event(event: Event) -> None:
            if isinstance(event, WorkerPauseChanged) and event.service == self._service:
                for loop in self._loops:
                    loop.gate.pause(event.at if event.paused else None)
                log.info("worker_paused" if event.paused else "worker_resumed", by=event.by)
            on_event(event)

        @asynccontextmanager
        async def lifespan() -> AsyncIterator[None]:
            beside = asyncio.create_task(background())
            following = self._transport.follow_control(on_control_event, has_caught_up.set)
            beating = beat(self._transport, self._service, self._instance, partial(self._heartbeat, status))
            async with run_beside(app, *map(consuming, self._loops), following, beating) as running:
                try:
                    yield
                finally:
                    for loop in self._loops:
                        loop.stop()
                    has_caught_up.set()
                    await asyncio.wait(running[: len(self._loops)])
                    beside.cancel()
                    await asyncio.gather(beside, return_exceptions=True)

        app = FastStream(self._transport.faststream_broker(), lifespan=lifespan, logger=None)
        await app.run()

    async def _check_ready(self) -> None:
        """Raises NotReady."""
        for loop in self._loops:
            loop.stall_detector.check()
            if error := loop.writer.broker_error:
                raise NotReady(f"outcomes wait to be stored: {error}")

    @property
    def _waits(self) -> Sequence[WaitingFor]:
        """The longest first."""
        waits = [waiting for loop in self._loops if (waiting := loop.gate.waiting_for)]
        return sorted(waits, key=lambda waiting: waiting.since)

    def _heartbeat(self, status: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "in_flight": sum(loop.in_flight for loop in self._loops),
            "slots": self._settings.in_flight * len(self._loops),
            "processed": sum(loop.processed for loop in self._loops),
            "failed": sum(loop.failed for loop in self._loops),
            "waiting_for": next(iter(self._waits), None),
            **status(),
        }

    def _update_metrics(self) -> None:
        now = datetime.now(UTC)
        metrics.IN_FLIGHT.show({(): sum(loop.in_flight for loop in self._loops)})
        metrics.WAITING.show({(wait.reason,): (now - wait.since).total_seconds() for wait in reversed(self._waits)})
