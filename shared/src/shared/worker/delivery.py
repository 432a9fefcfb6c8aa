"""Processes one delivery until its end is stored: an outcome, a dead letter, a requeued copy, or nothing left to do.

`consumer_loop.py` decides which deliveries and when; this is the one place that applies `retry.decide`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from shared.errors import BrokerUnreachable, Refused, Transient
from shared.events import Outcome, Removed, Requeued, WorkRequested
from shared.messaging.broker import Consumer
from shared.messaging.cloudevents import Record, encode
from shared.messaging.dead_letter import dead_letter
from shared.resilience.backoff import Backoff
from shared.resilience.circuit_breaker import BreakerState
from shared.resilience.retry import DeadLetter, Decision, Fail, Pause, Retry, decide
from shared.worker.attempt_guard import AttemptGuard
from shared.worker.call_gate import CallGate
from shared.worker.concurrency import ConcurrencyLimit
from shared.worker.in_flight import (
    NOTHING_TO_DO,
    SUPERSEDED,
    TAKEN_OVER,
    Ack,
    InFlightDelivery,
    Progress,
    Superseded,
)
from shared.worker.outcome_writer import OutcomeWriter
from shared.worker.quarantine import is_poisoned
from shared.worker.run import Reported, Run
from shared.worker.telemetry import count_end, observed

log = structlog.get_logger()
T = TypeVar("T")
Handler = Callable[[WorkRequested, Run], Awaitable[Reported | None]]  # None: nothing to report


class OwnershipLost(Exception):
    """While the delivery waited, it became another member's."""


class DeliveryProcessor:
    def __init__(
        self,
        handler: Handler,
        consumer: Consumer,
        writer: OutcomeWriter,
        gate: CallGate,
        limit: ConcurrencyLimit,
        *,
        worker: str,
        max_wait: float,
    ) -> None:
        """`max_wait`: seconds that a delivery may wait in flight before it is requeued."""
        self.processed = 0
        self.failed = 0
        self._handler = handler
        self._consumer = consumer
        self._writer = writer
        self._gate = gate
        self._breaker = gate.breaker
        self._policy = gate.breaker.policy
        self._limit = limit
        self._worker = worker
        self._max_wait = max_wait
        self._attempts = AttemptGuard()
        self._bugs: set[str] = set()  # submissions that ended in a bug since the last one that did not

    async def process(self, delivery: InFlightDelivery) -> None:
        """Returns when the end of the delivery is stored."""
        match delivery.event:
            case WorkRequested() as event:
                await self._process_work(delivery, event)
            case Removed() as event:
                self._attempts.remove(event.id, event.attempt)
                await self._settle(delivery, NOTHING_TO_DO)
            case _:
                problem = delivery.problem or f"nothing here handles {type(delivery.event).__name__}"
                log.error("record_unreadable", stream=delivery.received.record.stream, error=problem)
                letter = self._letter(delivery, "invalid_event", problem, tries=0)
                await self._settle(delivery, Ack("dead_lettered", [letter]))

    async def _process_work(self, delivery: InFlightDelivery, event: WorkRequested) -> None:
        try:
            if event.is_attempt and not await self._attempts.admit(delivery, event):
                await self._settle(delivery, NOTHING_TO_DO)
                return
            run = Run(event, self._worker, delivery.crash_count)
            await self._limit.acquire(delivery)
            with observed(delivery, run) as observation:
                ack = await self._run(delivery, run)
                await self._settle(delivery, ack)
                observation.ack = ack
        except Superseded:
            await self._settle(delivery, SUPERSEDED)
        finally:
            self._limit.release(delivery)
            self._attempts.leave(delivery, event.id)

    async def _run(self, delivery: InFlightDelivery, run: Run) -> Ack:
        if is_poisoned(delivery):
            died = f"{delivery.crash_count} workers died while handling it"
            why = DeadLetter("killed_its_worker", f"{died}, the last one with nothing else of its group to do")
            return self._dead_lettered(delivery, run, why)
        try:
            return await self._call_until_ended(delivery, run)
        except Superseded:
            return SUPERSEDED
        except OwnershipLost:
            return TAKEN_OVER

    async def _call_until_ended(self, delivery: InFlightDelivery, run: Run) -> Ack:
        """Calls the handler until there is an outcome, or until the delivery has waited too long to be held."""
        hold_until = time.monotonic() + self._max_wait
        while (epoch := await self._may_call(delivery, hold_until)) is not None:
            self._writer.enqueue(run.encode(run.started()))
            try:
                reported = await self._call(run)
            except Exception as error:
                decision = self._decide(error, run, epoch)
            else:
                self._breaker.record_success(epoch)
                self._bugs.clear()
                self.processed += isinstance(reported, Outcome)
                return Ack("completed", [run.encode(reported)] if reported else (), ends_attempt=True)
            match decision:
                case Fail():
                    self.failed += 1
                    failed = run.encode(run.failed(decision.code, decision.message))
                    return Ack("failed", [failed], (decision.code, decision.message), ends_attempt=True)
                case DeadLetter():
                    return self._dead_lettered(delivery, run, decision)
                case Retry():
                    until = datetime.now(UTC) + timedelta(seconds=decision.after)
                    self._writer.enqueue(run.encode(run.parked(f"trying again: {decision.message}", until)))
                    await self._wait(delivery, partial(asyncio.sleep, decision.after))
                case Pause():
                    self._open_circuit(decision, epoch, run)
        return self._requeued(delivery, run)

    async def _call(self, run: Run) -> Reported | None:
        try:
            return await self._handler(run.event, run)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
            raise RuntimeError("the handler was cancelled from inside") from None

    def _decide(self, error: Exception, run: Run, epoch: int) -> Decision:
        decision = decide(error, run.tries, self._policy, len(self._bugs | {run.event.id}))
        if isinstance(error, Transient):
            run.tries += 1
        match decision:
            case DeadLetter(code="bug") | Pause(reason="bug"):
                self._bugs.add(run.event.id)
                log.error("handler_failed_with_a_bug", exc_info=error)
        if isinstance(error, Refused):
            self._breaker.record_success(epoch)  # a server that refuses is reachable
            self._bugs.clear()
        elif not isinstance(decision, Pause):
            self._breaker.record_inconclusive(epoch)
        return decision

    def _open_circuit(self, outage: Pause, epoch: int, run: Run) -> None:
        event = "circuit_opened" if self._breaker.state is BreakerState.CLOSED else "probe_failed"
        is_first_report = epoch == self._breaker.epoch
        until = self._breaker.record_outage(outage.reason, outage.after, epoch, outage.until, outage.message)
        if is_first_report:
            log.warning(event, reason=outage.reason, until=until, error=outage.message)
        self._writer.enqueue(run.encode(run.parked(outage.reason, until)))

    async def _may_call(self, delivery: InFlightDelivery, hold_until: float) -> int | None:
        """Waits out an outage or a pause, and stores that the delivery is started. Returns the breaker's epoch, or None
        if the delivery must not be held any longer. Raises Superseded, OwnershipLost."""
        while True:
            epoch = self._breaker.epoch
            if self._gate.is_blocked:
                allowed = await self._wait(
                    delivery, lambda: self._gate.wait_until_allowed(hold_until - time.monotonic())
                )
                if allowed is None:
                    return None
                epoch = allowed
            may_begin = False
            try:
                await self._store_start(delivery)
                may_begin = self._gate.still_allows(epoch) and not delivery.is_superseded
            finally:
                if not may_begin:
                    self._breaker.record_inconclusive(epoch)  # another delivery becomes the probe
            if may_begin:
                return self._breaker.epoch  # closed again since, it counts in the newest
            if delivery.is_superseded:
                raise Superseded

    async def _wait(self, delivery: InFlightDelivery, until: Callable[[], Awaitable[T]]) -> T:
        """Not counted as started meanwhile, so a crash of the worker is not blamed on it. Raises Superseded."""
        try:
            await self._consumer.waiting([delivery.received])
        except BrokerUnreachable as error:
            log.warning("wait_not_stored", error=str(error))
        return await delivery.wait(until)

    async def _store_start(self, delivery: InFlightDelivery) -> None:
        """Retries until the broker answers. Raises OwnershipLost, Superseded."""
        backoff = Backoff(self._policy, longest=1.0)
        while True:
            try:
                lost = await self._consumer.started([delivery.received])
            except BrokerUnreachable:
                await delivery.wait(backoff.wait)
            else:
                if lost:
                    raise OwnershipLost
                return

    def _requeued(self, delivery: InFlightDelivery, run: Run) -> Ack:
        """The same attempt again, behind the others, so that nothing old stays unsettled."""
        before = run.event.requeued
        requeued = Requeued(
            n=before.n + 1 if before else 1,
            tries=run.tries,
            starts=delivery.crash_count,
            since=before.since if before else datetime.now(UTC),
        )
        self._attempts.leave(delivery, run.event.id)  # the copy may arrive before the broker confirms it
        copy = run.event.model_copy(update={"requeued": requeued})
        return Ack("requeued", [encode(copy, source=self._worker)])

    def _dead_lettered(self, delivery: InFlightDelivery, run: Run, why: DeadLetter) -> Ack:
        self.failed += 1
        failed = run.encode(run.failed(why.code, why.message, dead_lettered=True))
        letter = self._letter(delivery, why.code, why.message, tries=run.tries)
        return Ack("dead_lettered", [failed, letter], (why.code, why.message), ends_attempt=True)

    def _letter(self, delivery: InFlightDelivery, code: str, message: str, *, tries: int) -> Record:
        return dead_letter(delivery.received, code=code, message=message, tries=tries, source=self._worker)

    async def _settle(self, delivery: InFlightDelivery, ack: Ack) -> None:
        self._limit.release(delivery)
        if ack is not TAKEN_OVER:
            await self._writer.commit(delivery.received, ack.records)
        delivery.progress = Progress.SETTLED
        count_end(ack)
        if ack.ends_attempt and isinstance(delivery.event, WorkRequested) and delivery.event.is_attempt:
            self._attempts.end(delivery.event.id, delivery.event.attempt)
