"""One delivery, from its handing to its end: an outcome, a dead letter, a copy at the tail, or nothing left to do.

`consumer_loop.py` decides which deliveries and when; this is the one place that obeys `retry.decide`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from shared.errors import BrokerUnreachable, Refused, Transient
from shared.events import CausesWork, Outcome, Removed, Requeued
from shared.messaging.broker import Consumer
from shared.messaging.cloudevents import Record, encode
from shared.messaging.dead_letter import dead_letter
from shared.resilience.backoff import backoff_delay
from shared.resilience.circuit_breaker import OutageGate
from shared.resilience.retry import DeadLetter, Decision, Fail, Pause, Retry, decide
from shared.worker.concurrency import Places
from shared.worker.in_flight import Attempts, End, Work
from shared.worker.outcome_writer import OutcomeWriter
from shared.worker.run import Reported, Run
from shared.worker.telemetry import count_end, observed

log = structlog.get_logger()
T = TypeVar("T")
Handler = Callable[[CausesWork, Run], Awaitable[Reported | None]]  # None: there is nothing to say
DEATHS_BEFORE_ALONE = 2  # of workers while they handled it; the next one takes it alone


class _Displaced(Exception):
    """It was taken back, or a later attempt has come, while it waited."""


class _TakenOver(Exception):
    """While it waited it became another member's."""


class HandleDelivery:
    """`held`: seconds that one may wait in flight before it goes to the tail."""

    def __init__(
        self,
        handler: Handler,
        consumer: Consumer,
        outbox: OutcomeWriter,
        gate: OutageGate,
        places: Places,
        *,
        worker: str,
        held: float,
    ) -> None:
        self.processed = 0
        self.failed = 0
        self._handler = handler
        self._consumer = consumer
        self._outbox = outbox
        self._gate = gate
        self._places = places
        self._policy = gate.policy
        self._worker = worker
        self._held = held
        self._attempts = Attempts()
        self._bugs: set[str] = set()  # submissions that ended in a bug since the last that did not

    async def __call__(self, work: Work) -> None:
        """Returns when its end is stored."""
        match work.event:
            case CausesWork() as event:
                await self._handle(work, event)
            case Removed() as event:
                self._attempts.remove(event.id, event.attempt)
                await self._end(work)
            case _:
                problem = work.problem or f"nothing here handles {type(work.event).__name__}"
                log.error("unreadable record", stream=work.delivery.record.stream, error=problem)
                work.end = "dead_lettered"
                await self._end(work, self._dead_letter(work, "invalid_event", problem, tries=0))

    async def _handle(self, work: Work, event: CausesWork) -> None:
        """Already ended, deadly, or a run."""
        if isinstance(event, Removed):
            self._attempts.remove(event.id, event.attempt)
        elif not await self._attempts.may_run(work, event):
            await self._end(work)
            return
        run = Run(event, self._worker, work.deaths)
        try:
            if await self._places.take(work):
                with observed(work, run):
                    await self._run(work, run)
            else:
                await self._end_attempt(work, run)
        finally:
            self._places.leave(work)
            self._attempts.leave(work, event)

    async def _run(self, work: Work, run: Run) -> None:
        try:
            if died_alone(work):
                message = f"{work.deaths} workers died while handling it, the last one with nothing else to do"
                await self._bury(work, run, DeadLetter("killed_its_worker", message))
            else:
                await self._attempt(work, run)
        except _Displaced:
            await self._end_attempt(work, run)
        except _TakenOver:
            work.end = "taken_over"
            work.settled = True
            count_end(work)

    async def _attempt(self, work: Work, run: Run) -> None:
        """Call the handler until there is an outcome, or until it has waited too long to be held."""
        held_until = time.monotonic() + self._held
        while (turn := await self._may_call(work, held_until)) is not None:
            self._outbox.enqueue(run.started())
            try:
                reported = await self._call(run)
            except Exception as error:
                decision = self._decide(error, run, turn)
            else:
                self._gate.open(turn)
                self._bugs.clear()
                self.processed += isinstance(reported, Outcome)
                work.end = "completed"
                await self._end_attempt(work, run, *([run.record(reported)] if reported else []))
                return
            match decision:
                case Fail():
                    self._failed(work, "failed", decision)
                    await self._end_attempt(work, run, run.failed(decision.code, decision.message))
                    return
                case DeadLetter():
                    await self._bury(work, run, decision)
                    return
                case Retry():
                    until = datetime.now(UTC) + timedelta(seconds=decision.after)
                    self._outbox.enqueue(run.parked(f"trying again: {decision.message}", until))
                    await self._rest(work, partial(asyncio.sleep, decision.after))
                case Pause():
                    is_news = turn == self._gate.turn
                    until = self._gate.close(decision.reason, decision.after, turn, decision.until, decision.message)
                    if is_news:
                        log.warning("waiting", reason=decision.reason, until=until, error=decision.message)
                    self._outbox.enqueue(run.parked(decision.reason, until))
        await self._put_at_tail(work, run)

    async def _call(self, run: Run) -> Reported | None:
        try:
            return await self._handler(run.event, run)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
            raise RuntimeError("the handler was cancelled from inside") from None

    def _decide(self, error: Exception, run: Run, turn: int) -> Decision:
        decision = decide(error, run.tries, self._policy, len(self._bugs | {run.event.id}))
        if isinstance(error, Transient):
            run.tries += 1
        match decision:
            case DeadLetter(code="bug") | Pause(reason="bug"):
                self._bugs.add(run.event.id)
                log.error("a bug ended a run", exc_info=error)
        if isinstance(error, Refused):
            self._gate.open(turn)  # whoever refuses is there
            self._bugs.clear()
        elif not isinstance(decision, Pause):
            self._gate.gave_no_answer(turn)
        return decision

    async def _may_call(self, work: Work, held_until: float) -> int | None:
        """Waits out an outage; None when the submission must not be held in flight any longer."""
        if self._gate.is_open:
            turn: int | None = self._gate.turn
        else:
            turn = await self._rest(work, lambda: self._gate.enter(held_until - time.monotonic()))
        if turn is not None:
            await self._begin(work)
        return turn

    async def _rest(self, work: Work, until: Callable[[], Awaitable[T]]) -> T:
        """While it waits it is not begun: a worker that dies then did not die of it."""
        if work.displaced:
            raise _Displaced
        try:
            await self._consumer.waiting([work.delivery])
        except BrokerUnreachable as error:
            log.warning("could not store that a submission waits", error=str(error))
        work.waits = True
        try:
            return await until()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task and work.displaced and task.uncancel() == 0:
                raise _Displaced from None
            raise
        finally:
            work.waits = False

    async def _begin(self, work: Work) -> None:
        """However long the broker is away: the call waits for it. Raises _TakenOver."""
        failures = 0
        while True:
            try:
                lost = await self._consumer.started([work.delivery])
            except BrokerUnreachable:
                failures += 1
                await asyncio.sleep(min(1.0, backoff_delay(failures, self._policy)))
            else:
                if lost:
                    raise _TakenOver
                return

    async def _put_at_tail(self, work: Work, run: Run) -> None:
        """The same attempt again, behind the others, so that nothing old stays unsettled."""
        before = run.event.requeued
        requeued = Requeued(
            n=before.n + 1 if before else 1,
            tries=run.tries,
            starts=work.deaths,
            since=before.since if before else datetime.now(UTC),
        )
        work.end = "requeued"
        self._attempts.leave(work, run.event)  # the copy may come before its storing is answered
        await self._end(work, encode(run.event.model_copy(update={"requeued": requeued}), source=self._worker))

    def _failed(self, work: Work, end: End, why: Fail | DeadLetter) -> None:
        self.failed += 1
        work.end, work.error = end, (why.code, why.message)

    async def _bury(self, work: Work, run: Run, why: DeadLetter) -> None:
        self._failed(work, "dead_lettered", why)
        failed = run.failed(why.code, why.message, dead_lettered=True)
        letter = self._dead_letter(work, why.code, why.message, tries=run.tries)
        await self._end_attempt(work, run, failed, letter)

    def _dead_letter(self, work: Work, code: str, message: str, *, tries: int) -> Record:
        return dead_letter(work.delivery, code=code, message=message, tries=tries, source=self._worker)

    async def _end_attempt(self, work: Work, run: Run, *records: Record) -> None:
        await self._end(work, *records)
        self._attempts.end(run.event.id, run.event.attempt)

    async def _end(self, work: Work, *records: Record) -> None:
        self._places.leave(work)
        await self._outbox.commit(work.delivery, records)
        work.settled = True
        count_end(work)


def died_alone(work: Work) -> bool:
    return work.deaths > DEATHS_BEFORE_ALONE
