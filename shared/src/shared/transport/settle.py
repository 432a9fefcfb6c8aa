"""Settlement: every delivery is handed to its handler and ended exactly when its outcome is stored.

Sits between a `Consumer` (the broker) and a service's `on_<event>.py`. Keeps a bounded window of submissions in
flight, waits out outages without spending tries, runs alone what killed its worker twice, and is the one place
that obeys `retry.decide`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog

from shared.errors import BrokerUnreachable, InvalidEvent
from shared.events import Outcome, Removed, Requeued, Submitted
from shared.outage import OutageGate
from shared.retry import Bury, Decision, Fail, Policy, TryAgain, WaitForEnd, decide, pause
from shared.run import Run
from shared.transport.base import Consumer, Delivery
from shared.transport.dead_letter import dead_letter
from shared.transport.outbox import Outbox
from shared.transport.work import Attempts, Work
from shared.wire import Record, decode, encode

log = structlog.get_logger()
T = TypeVar("T")
Handler = Callable[[Submitted, Run], Awaitable[Outcome]]
DEATHS_BEFORE_ALONE = 2  # of workers while they handled it; the next one takes it alone


@dataclass(frozen=True, slots=True)
class Limits:
    """`in_flight` submissions; seconds: `held` may one wait before it goes to the tail, `grace` for calls at a stop."""

    in_flight: int = 30
    held: float = 60.0
    grace: float = 20.0
    poll: float = 0.5


class Settlement:
    def __init__(
        self,
        consumer: Consumer,
        handler: Handler,
        *,
        worker: str,
        limits: Limits | None = None,
        policy: Policy | None = None,
    ) -> None:
        """`worker`: the instance that outcomes name."""
        self.processed = 0
        self.failed = 0
        self._consumer = consumer
        self._handler = handler
        self._worker = worker
        self._limits = limits or Limits()
        self._policy = policy or Policy()
        self.gate = OutageGate(self._policy)
        self.outbox = Outbox(consumer, self._policy)
        self._attempts = Attempts()
        self._works: set[Work] = set()
        self._suspects: list[Work] = []
        self._alone: Work | None = None
        self._bugs: set[str] = set()  # submissions that ended in a bug since the last that did not
        self._stopping = False
        self._room = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return len(self._works)

    def stop(self) -> None:
        """Fetch no more; finish or hand back what is in flight; then `run` returns."""
        self._stopping = True
        self._room.set()

    async def run(self) -> None:
        """Until `stop`. Raises CannotGoOn where a person must act."""
        try:
            async with asyncio.TaskGroup() as tasks:
                flusher = tasks.create_task(self.outbox.run())
                await self._fetch_until_stopped(tasks)
                await self._finish()
                flusher.cancel()
        except* Exception as group:
            raise _first(group) from None

    # -- the window ---------------------------------------------------------------------------------------------

    async def _fetch_until_stopped(self, tasks: asyncio.TaskGroup) -> None:
        failures = 0
        while not self._stopping:
            self._room.clear()
            await self._start_suspect(tasks)
            if not (limit := self._how_many()):
                await self._wait_for_room()
                continue
            try:
                deliveries = await self._consumer.fetch(limit, self._limits.poll)
            except BrokerUnreachable as error:
                failures += 1
                if failures == 1:
                    log.warning("waiting for the broker", error=str(error))
                await asyncio.sleep(min(1.0, pause(failures, self._policy)))
                continue
            if failures:
                log.info("the broker is back")
            failures = 0
            await self._begin([d for d in deliveries if d.starts < DEATHS_BEFORE_ALONE])
            for delivery in deliveries:
                self._admit(Work(delivery), tasks)

    def _how_many(self) -> int:
        if self._suspects or self._alone:
            return 0
        if not self.gate.is_open:
            return 1 if not self._works and self.gate.lets_one_try else 0
        return max(0, self._limits.in_flight - len(self._works))

    async def _wait_for_room(self) -> None:
        try:
            await asyncio.wait_for(self._room.wait(), 0.2)
        except TimeoutError:
            return

    def _admit(self, work: Work, tasks: asyncio.TaskGroup) -> None:
        self._works.add(work)
        if work.delivery.starts >= DEATHS_BEFORE_ALONE:
            self._suspects.append(work)
        else:
            work.task = tasks.create_task(self._handle(work))

    async def _start_suspect(self, tasks: asyncio.TaskGroup) -> None:
        """Once everything else in flight has ended."""
        if self._suspects and not self._alone and len(self._works) == len(self._suspects):
            self._alone = work = self._suspects.pop(0)
            if not _died_alone(work.delivery):
                await self._begin([work.delivery])
            work.task = tasks.create_task(self._handle(work))

    async def _begin(self, deliveries: Sequence[Delivery]) -> None:
        """Store that they are begun, however long the broker is away: their calls wait for it."""
        failures = 0
        while deliveries and not (self._stopping and failures):
            try:
                await self._consumer.started(deliveries)
            except BrokerUnreachable:
                failures += 1
                await asyncio.sleep(min(1.0, pause(failures, self._policy)))
            else:
                return

    async def _finish(self) -> None:
        """What waits is handed back at once, calls get `grace` seconds."""
        give_up = time.monotonic() + self._limits.grace
        while running := [w.task for w in self._works if w.task and not w.waits]:
            left = give_up - time.monotonic()
            if left <= 0:
                break
            await asyncio.wait(running, timeout=min(left, 0.2), return_when="FIRST_COMPLETED")
        left_over = list(self._works)
        tasks = [work.task for work in left_over if work.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._consumer.hand_back([work.delivery for work in left_over if not work.settled])
        except BrokerUnreachable as error:
            log.warning("could not hand back: others will take over", entries=len(left_over), error=str(error))

    # -- one delivery -------------------------------------------------------------------------------------------

    async def _handle(self, work: Work) -> None:
        try:
            await self._settle_one(work)
        except asyncio.CancelledError:
            if not work.displaced:
                raise
            await self._end(work)
        finally:
            self._works.discard(work)
            self._attempts.forget_running(work)
            if self._alone is work:
                self._alone = None
            self._room.set()

    async def _settle_one(self, work: Work) -> None:
        """Unreadable, taken back, already ended, deadly, or a run."""
        try:
            event = decode(work.delivery.record).event
        except InvalidEvent as error:
            log.error("unreadable record", stream=work.delivery.record.stream, error=str(error))
            await self._end(work, self._dead_letter(work, "invalid_event", str(error), tries=0))
            return
        if isinstance(event, Removed):
            self._attempts.remove(event.id, event.attempt)
            await self._end(work)
            return
        assert isinstance(event, Submitted)
        if not await self._attempts.may_run(work, event):
            await self._end(work)
            return
        run = Run(event, self._worker)
        if _died_alone(work.delivery):
            message = f"{work.delivery.starts} workers died while handling it, the last one with nothing else to do"
            await self._bury(work, run, Bury("killed_its_worker", message))
        else:
            await self._attempt(work, run)

    async def _attempt(self, work: Work, run: Run) -> None:
        """Call the handler until there is an outcome, or until it has waited too long to be held."""
        work.held_until = time.monotonic() + self._limits.held
        while await self._may_call(work):
            self.outbox.say(run.started())
            try:
                outcome = await self._handler(run.event, run)
            except Exception as error:
                decision = self._decide(error, run)
            else:
                self.gate.open()
                self._bugs.clear()
                self.processed += 1
                await self._end(work, run.record(outcome))
                return
            match decision:
                case Fail():
                    self.failed += 1
                    await self._end(work, run.failed(decision.code, decision.message))
                    return
                case Bury():
                    await self._bury(work, run, decision)
                    return
                case TryAgain():
                    run.tries += 1
                    until = datetime.now(UTC) + timedelta(seconds=decision.after)
                    self.outbox.say(run.parked(f"trying again: {decision.message}", until))
                    await self._put_away(work, asyncio.sleep(decision.after))
                case WaitForEnd():
                    waiting_for = self.gate.close(decision.reason, decision.after)
                    log.warning("waiting", reason=decision.reason, until=waiting_for.until, error=decision.message)
                    self.outbox.say(run.parked(decision.reason, waiting_for.until))
        await self._put_at_tail(work, run)

    def _decide(self, error: Exception, run: Run) -> Decision:
        decision = decide(error, run.tries, self._policy, len(self._bugs | {run.event.id}))
        match decision:
            case Bury(code="bug") | WaitForEnd(reason="bug"):
                self._bugs.add(run.event.id)
                log.error("a bug ended a run", submission=run.event.id, run=run.id, exc_info=error)
                self.gate.gave_no_answer()
            case TryAgain():
                self.gate.gave_no_answer()
            case Fail():
                self.gate.open()  # whoever refuses is there
                self._bugs.clear()
        return decision

    async def _may_call(self, work: Work) -> bool:
        """Waits out an outage; False when the submission must not be held in flight any longer."""
        if self.gate.is_open:
            return True
        return await self._put_away(work, self.gate.enter(work.held_until - time.monotonic()))

    async def _put_away(self, work: Work, until: Awaitable[T]) -> T:
        """While it waits it is not begun: a worker that dies then did not die of it."""
        try:
            await self._consumer.waiting([work.delivery])
        except BrokerUnreachable as error:
            log.warning("could not store that a submission waits", error=str(error))
        work.waits = True
        try:
            result = await until
        finally:
            work.waits = False
        await self._begin([work.delivery])
        return result

    async def _put_at_tail(self, work: Work, run: Run) -> None:
        """The same attempt again, behind the others, so that nothing old stays unsettled."""
        before = run.event.requeued
        requeued = Requeued(
            n=before.n + 1 if before else 1,
            tries=run.tries,
            starts=work.delivery.starts,
            since=before.since if before else datetime.now(UTC),
        )
        work.event = None  # settled, but the attempt goes on
        await self._end(work, encode(run.event.model_copy(update={"requeued": requeued}), source=self._worker))

    async def _bury(self, work: Work, run: Run, why: Bury) -> None:
        self.failed += 1
        failed = run.failed(why.code, why.message, dead_lettered=True)
        await self._end(work, failed, self._dead_letter(work, why.code, why.message, tries=run.tries))

    def _dead_letter(self, work: Work, code: str, message: str, *, tries: int) -> Record:
        return dead_letter(work.delivery, code=code, message=message, tries=tries, source=self._worker)

    async def _end(self, work: Work, *records: Record) -> None:
        await self.outbox.settle(work.delivery, records)
        work.settled = True
        if work.event:
            self._attempts.end(work.event.id, work.event.attempt)


def _died_alone(delivery: Delivery) -> bool:
    return delivery.starts > DEATHS_BEFORE_ALONE


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
