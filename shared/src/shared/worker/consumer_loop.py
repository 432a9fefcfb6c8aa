"""Consumer loop: fetches deliveries, processes each one, and stops cleanly.

Sits between a `Consumer` (the broker) and a service's `on_<event>.py`. Keeps a bounded number of submissions in flight
(`concurrency.py`), fetches only a probe while the circuit breaker is open (`call_gate.py`), and runs alone what crashed
its worker twice (`quarantine.py`). `delivery.py` processes a single delivery.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from shared.errors import BrokerUnreachable, CannotGoOn, NewerVersion
from shared.messaging.broker import Consumer, Delivery
from shared.resilience.backoff import Backoff, RetryPolicy
from shared.service.stall_detector import StallDetector
from shared.worker.call_gate import CallGate
from shared.worker.concurrency import ConcurrencyLimit
from shared.worker.delivery import DeliveryProcessor, Handler
from shared.worker.in_flight import InFlightDelivery, Progress, decode_delivery
from shared.worker.outcome_writer import OutcomeWriter
from shared.worker.quarantine import Quarantine, is_poisoned, is_suspect

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """`concurrency`: submissions in flight. Seconds: `max_wait` until a waiting one is requeued, `shutdown_timeout` for
    calls when the worker stops, `poll` of a fetch."""

    concurrency: int = 30
    max_wait: float = 60.0
    shutdown_timeout: float = 20.0
    poll: float = 0.5


class ConsumerLoop:
    def __init__(
        self,
        consumer: Consumer,
        handler: Handler,
        *,
        worker: str,
        limits: Limits | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        """`worker`: the instance that outcomes name."""
        self._consumer = consumer
        self._limits = limits or Limits()
        self._policy = policy or RetryPolicy()
        self.gate = CallGate(self._policy)
        self.stall_detector = StallDetector("the consumer loop")
        self.writer = OutcomeWriter(consumer, self._policy)
        self._limit = ConcurrencyLimit(self._limits.concurrency)
        self._processor = DeliveryProcessor(
            handler, consumer, self.writer, self.gate, self._limit, worker=worker, max_wait=self._limits.max_wait
        )
        self._in_flight: set[InFlightDelivery] = set()
        self._fetched: list[InFlightDelivery] = []  # not started yet
        self._quarantine = Quarantine()
        self._is_stopping = False
        self._stop_reason: CannotGoOn | None = None
        self._room = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def processed(self) -> int:
        return self._processor.processed

    @property
    def failed(self) -> int:
        return self._processor.failed

    def stop(self) -> None:
        """Fetches no more; `run` returns when what is in flight has ended or was handed back."""
        self._is_stopping = True
        self._limit.close()
        self.gate.close()
        self._room.set()

    async def run(self) -> None:
        """Until `stop`. Raises CannotGoOn if an operator must act, after the same clean stop; but at once if outcomes
        cannot be stored for another reason than an unreachable broker."""
        try:
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self.writer.run())
                await self._fetch_until_stopped(tasks)
                await self._finish(writing)
        except ExceptionGroup as group:
            raise _first(group) from None
        if self._stop_reason:
            raise self._stop_reason

    async def _fetch_until_stopped(self, tasks: asyncio.TaskGroup) -> None:
        backoff = Backoff(self._policy, longest=1.0)
        while not self._is_stopping:
            try:
                await self._fetch_and_start(tasks)
            except BrokerUnreachable as error:
                if not backoff.failures:
                    log.warning("broker_unreachable", error=str(error))
                await backoff.wait()
            except CannotGoOn as error:
                self._stop_because(error)
            else:
                if backoff.reset():
                    log.info("broker_recovered")
                self.stall_detector.tick()

    async def _fetch_and_start(self, tasks: asyncio.TaskGroup) -> None:
        """Starts as much as there is room for. What a stop finds fetched but not started stays so."""
        self._room.clear()
        if not self._fetched and (suspect := self._quarantine.start_next(self._in_flight)):
            self._fetched = [suspect]
        if not self._fetched:
            if not (limit := self._fetch_limit()):
                await self._wait_for_room()
                return
            await self._accept(await self._consumer.fetch(limit, self._limits.poll))
        if self._fetched and not self._is_stopping:
            startable = [delivery.received for delivery in self._fetched if not is_poisoned(delivery)]
            lost = await self._consumer.started(startable)
            for delivery in self._fetched:
                if delivery.received in lost:  # another member's by now
                    self._in_flight.discard(delivery)
                    self._quarantine.leave(delivery)
                elif not self._is_stopping:
                    delivery.attach(tasks.create_task(self._process(delivery)))
            self._fetched = []

    def _fetch_limit(self) -> int:
        if self._quarantine.is_active:
            return 0
        if self.gate.is_blocked:
            return 1 if not self._in_flight and self.gate.allows_probe else 0
        prefetch = self._limit.prefetch
        room = self._limits.concurrency + prefetch - len(self._in_flight)
        return room if room > prefetch // 2 else 0  # a fetch costs as much for one as for many

    async def _wait_for_room(self) -> None:
        try:
            async with asyncio.timeout(0.2):
                await self._room.wait()
        except TimeoutError:
            return

    async def _accept(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            try:
                accepted = decode_delivery(delivery)
            except NewerVersion as error:
                accepted = InFlightDelivery(delivery)
                self._stop_because(error)
            else:
                (self._quarantine.waiting if is_suspect(accepted) else self._fetched).append(accepted)
            self._in_flight.add(accepted)
        if self._quarantine.waiting:
            await self._consumer.waiting([suspect.received for suspect in self._quarantine.waiting])

    async def _process(self, delivery: InFlightDelivery) -> None:
        try:
            await self._processor.process(delivery)
        except CannotGoOn as error:
            self._stop_because(error)
        finally:
            if delivery.progress is Progress.SETTLED:
                self._in_flight.discard(delivery)
            self._quarantine.leave(delivery)
            self._room.set()

    def _stop_because(self, reason: CannotGoOn) -> None:
        log.error("worker_stops", reason=str(reason))
        self._stop_reason = self._stop_reason or reason
        self.stop()

    async def _finish(self, writing: asyncio.Task[None]) -> None:
        """Starts no more calls; those in flight get `shutdown_timeout` seconds. Then stores all reports, and hands back
        what has not ended."""
        give_up = time.monotonic() + self._limits.shutdown_timeout
        while True:
            for delivery in self._in_flight:
                delivery.interrupt()
            running = [delivery.task for delivery in self._in_flight if delivery.task and delivery.is_running]
            left = give_up - time.monotonic()
            if not running or left <= 0:
                break
            await asyncio.wait(running, timeout=min(left, 0.2), return_when="FIRST_COMPLETED")
        tasks = [delivery.task for delivery in self._in_flight if delivery.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.writer.flush(max(1.0, give_up - time.monotonic()))
        writing.cancel()  # nothing is stored after this
        await asyncio.wait([writing])
        received = [delivery.received for delivery in self._in_flight]
        unfinished = [delivery for delivery in received if delivery not in self.writer.settled_unawaited]
        try:
            await self._consumer.hand_back(unfinished)
        except (BrokerUnreachable, CannotGoOn) as error:
            log.warning("hand_back_failed", deliveries=len(unfinished), error=str(error))


def _first(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
