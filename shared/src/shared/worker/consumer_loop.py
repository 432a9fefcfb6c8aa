"""Settlement: every delivery is handed to its handler and ended exactly when its outcome is stored.

Sits between a `Consumer` (the broker) and a service's `on_<event>.py`. Keeps a bounded window of submissions in
flight (`concurrency.py`), fetches one at a time while what they call is out, and runs alone what killed its worker
twice. What happens to one delivery is in `delivery.py`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from shared.errors import BrokerUnreachable, CannotGoOn, NewerVersion
from shared.messaging.broker import Consumer, Delivery
from shared.resilience.backoff import RetryPolicy, backoff_delay
from shared.resilience.circuit_breaker import OutageGate
from shared.service.stall_detector import StallDetector
from shared.worker.concurrency import Places
from shared.worker.delivery import DEATHS_BEFORE_ALONE, HandleDelivery, Handler, died_alone
from shared.worker.in_flight import Work, read
from shared.worker.outcome_writer import OutcomeWriter

log = structlog.get_logger()


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
        policy: RetryPolicy | None = None,
    ) -> None:
        """`worker`: the instance that outcomes name."""
        self._consumer = consumer
        self._limits = limits or Limits()
        self._policy = policy or RetryPolicy()
        self.gate = OutageGate(self._policy)
        self.progress = StallDetector("the settlement loop")
        self.outbox = OutcomeWriter(consumer, self._policy)
        self._places = Places(self._limits.in_flight)
        self._handle = HandleDelivery(
            handler, consumer, self.outbox, self.gate, self._places, worker=worker, held=self._limits.held
        )
        self._works: set[Work] = set()
        self._next: list[Work] = []  # fetched, not begun
        self._suspects: deque[Work] = deque()
        self._alone: Work | None = None
        self._stopping = False
        self._reason: CannotGoOn | None = None
        self._room = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return len(self._works)

    @property
    def processed(self) -> int:
        return self._handle.processed

    @property
    def failed(self) -> int:
        return self._handle.failed

    def stop(self) -> None:
        """Fetch no more; finish or hand back what is in flight; then `run` returns."""
        self._stopping = True
        self._places.close()
        self._room.set()

    async def run(self) -> None:
        """Until `stop`. Raises CannotGoOn where a person must act, after what was in flight has found its end."""
        try:
            async with asyncio.TaskGroup() as tasks:
                flusher = tasks.create_task(self.outbox.run())
                await self._fetch_until_stopped(tasks)
                await self._finish()
                flusher.cancel()
        except ExceptionGroup as group:
            raise _first(group) from None
        if self._reason:
            raise self._reason

    async def _fetch_until_stopped(self, tasks: asyncio.TaskGroup) -> None:
        failures = 0
        while not self._stopping:
            try:
                await self._fill(tasks)
            except BrokerUnreachable as error:
                failures += 1
                if failures == 1:
                    log.warning("waiting for the broker", error=str(error))
                await asyncio.sleep(min(1.0, backoff_delay(failures, self._policy)))
            except CannotGoOn as error:
                self._give_up(error)
            else:
                if failures:
                    log.info("the broker is back")
                failures = 0
                self.progress.tick()

    async def _fill(self, tasks: asyncio.TaskGroup) -> None:
        """Begin what there is room for. A stop between fetching and beginning leaves it unbegun."""
        self._room.clear()
        if not self._next and self._suspects and not self._alone and len(self._works) == len(self._suspects):
            self._alone = self._suspects.popleft()  # everything else in flight has ended
            self._next = [self._alone]
        if not self._next:
            if not (limit := self._how_many()):
                await self._wait_for_room()
                return
            await self._take_in(await self._consumer.fetch(limit, self._limits.poll))
        if self._next and not self._stopping:
            lost = await self._consumer.started([work.delivery for work in self._next if not died_alone(work)])
            for work in self._next:
                if work.delivery in lost:
                    self._drop(work)
                else:
                    work.task = tasks.create_task(self._run_one(work))
            self._next = []

    def _drop(self, work: Work) -> None:
        """It is another member's."""
        self._works.discard(work)
        if self._alone is work:
            self._alone = None

    def _how_many(self) -> int:
        if self._suspects or self._alone:
            return 0
        if not self.gate.is_open:
            return 1 if not self._works and self.gate.lets_one_try else 0
        at_hand = self._places.at_hand
        room = self._limits.in_flight + at_hand - len(self._works)
        return room if room > at_hand // 2 else 0  # some at once: a fetch costs as much for one

    async def _wait_for_room(self) -> None:
        try:
            async with asyncio.timeout(0.2):
                await self._room.wait()
        except TimeoutError:
            return

    async def _take_in(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            try:
                work = read(delivery)
            except NewerVersion as error:
                work = Work(delivery)
                self._give_up(error)
            else:
                (self._next if work.deaths < DEATHS_BEFORE_ALONE else self._suspects).append(work)
            self._works.add(work)
        if self._suspects:
            await self._consumer.waiting([work.delivery for work in self._suspects])

    async def _run_one(self, work: Work) -> None:
        try:
            await self._handle(work)
        except CannotGoOn as error:
            self._give_up(error)
        finally:
            if work.settled:
                self._works.discard(work)
            if self._alone is work:
                self._alone = None
            self._room.set()

    def _give_up(self, reason: CannotGoOn) -> None:
        log.error("cannot go on", reason=str(reason))
        self._reason = self._reason or reason
        self.stop()

    async def _finish(self) -> None:
        """What waits is handed back at once, calls get `grace` seconds; what was said is stored before."""
        give_up = time.monotonic() + self._limits.grace
        while running := [w.task for w in self._works if w.task and not w.task.done() and not w.waits]:
            left = give_up - time.monotonic()
            if left <= 0:
                break
            await asyncio.wait(running, timeout=min(left, 0.2), return_when="FIRST_COMPLETED")
        tasks = [work.task for work in self._works if work.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.outbox.flush(max(1.0, give_up - time.monotonic()))
        left_over = [work.delivery for work in self._works if not work.settled]
        try:
            await self._consumer.hand_back(left_over)
        except (BrokerUnreachable, CannotGoOn) as error:
            log.warning("could not hand back: others will take over", entries=len(left_over), error=str(error))


def _first(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
