"""A delivery while something else happens: it always ends, and calls only what may still be called."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from eventually import eventually
from factories import article_removed, article_submitted, forget_article, record, removed, topic_submitted

from shared.errors import BrokerUnreachable, Transient, Unavailable
from shared.events import Event, WorkRequested
from shared.messaging.broker import Delivery, Settled
from shared.resilience.backoff import RetryPolicy
from shared.resilience.circuit_breaker import BreakerState
from shared.worker.call_gate import CallGate
from shared.worker.concurrency import ConcurrencyLimit
from shared.worker.delivery import DeliveryProcessor
from shared.worker.in_flight import InFlightDelivery, Progress, decode_delivery
from shared.worker.outcome_writer import OutcomeWriter
from shared.worker.run import Run

SOON = RetryPolicy(first_pause=0.01, longest_pause=0.01)
LATER = RetryPolicy(first_pause=60, longest_pause=60)


@dataclass
class Member:
    """A consumer that stores everything. `lost`: whether others own the deliveries by now."""

    may_store_starts: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False
    is_reachable: bool = True
    settled: list[Delivery] = field(default_factory=list)

    async def started(self, deliveries: Sequence[Delivery]) -> Collection[Delivery]:
        await self.may_store_starts.wait()
        if not self.is_reachable:
            raise BrokerUnreachable("away")
        return deliveries if self.lost else []

    async def waiting(self, deliveries: Sequence[Delivery]) -> None: ...

    async def settle(self, batch: Sequence[Settled]) -> None:
        self.settled += [settled.delivery for settled in batch if settled.delivery]

    async def fetch(self, limit: int, timeout: float) -> list[Delivery]:
        raise NotImplementedError

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        raise NotImplementedError

    async def group_share(self) -> float:
        return 1.0

    async def close(self) -> None: ...


class Processing:
    def __init__(self, policy: RetryPolicy) -> None:
        self.member = Member()
        self.gate = CallGate(policy)
        self.writer = OutcomeWriter(self.member, policy)
        self.errors: list[Exception] = []
        self.calls: list[int] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        limit = ConcurrencyLimit(10)
        self._processor = DeliveryProcessor(
            self._handle, self.member, self.writer, self.gate, limit, worker="w", max_wait=60
        )
        self._tasks = [asyncio.create_task(self.writer.run())]

    async def _handle(self, event: WorkRequested, run: Run) -> None:
        self.calls.append(event.attempt)
        await self.may_end.wait()
        if self.errors:
            raise self.errors.pop()

    def process(self, event: Event) -> InFlightDelivery:
        delivery = decode_delivery(Delivery(record(event), 0, str(len(self._tasks))))
        delivery.attach(asyncio.create_task(self._processor.process(delivery)))
        assert delivery.task
        self._tasks.append(delivery.task)
        return delivery

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def later() -> AsyncIterator[Processing]:
    """Pauses are long."""
    processing = Processing(LATER)
    yield processing
    await processing.end()


@pytest.fixture
async def soon() -> AsyncIterator[Processing]:
    processing = Processing(SOON)
    yield processing
    await processing.end()


async def test_a_waiting_attempt_that_is_superseded_twice_at_once_ends(later: Processing) -> None:
    later.member.may_store_starts.set()
    later.errors.append(Transient("unusable", "no"))
    first = later.process(topic_submitted(attempt=1))
    await eventually(lambda: first.progress is Progress.WAITING, within=2)
    for event in (removed(attempt=1), topic_submitted(attempt=2)):
        later.process(event)
    await eventually(lambda: len(later.member.settled) == 3, within=2)
    assert first.progress is Progress.SETTLED
    assert later.calls == [1, 2]


async def test_of_attempts_that_wait_for_a_call_only_the_newest_runs(soon: Processing) -> None:
    soon.member.may_store_starts.set()
    soon.may_end.clear()
    soon.process(topic_submitted(attempt=1))
    await eventually(lambda: soon.calls == [1], within=2)
    for attempt in (2, 3):
        soon.process(topic_submitted(attempt=attempt))
        await asyncio.sleep(0.01)
    soon.may_end.set()
    await eventually(lambda: len(soon.member.settled) == 3, within=2)
    assert soon.calls == [1, 3]


async def test_no_call_begins_after_the_stop_although_the_start_is_stored_only_then(soon: Processing) -> None:
    delivery = soon.process(topic_submitted())
    await asyncio.sleep(0.01)
    soon.gate.close()
    soon.member.may_store_starts.set()
    await eventually(lambda: delivery.progress is Progress.WAITING, within=2)
    assert soon.calls == []


async def test_a_start_that_waits_for_the_broker_can_be_interrupted(soon: Processing) -> None:
    soon.member.is_reachable = False
    soon.member.may_store_starts.set()
    delivery = soon.process(topic_submitted())
    await eventually(lambda: delivery.progress is Progress.WAITING, within=2)
    delivery.interrupt()
    await eventually(lambda: delivery.task and delivery.task.cancelled(), within=2)


async def test_an_outage_met_after_another_one_was_over_opens_the_breaker(soon: Processing) -> None:
    soon.process(topic_submitted())
    await asyncio.sleep(0.01)
    breaker = soon.gate.breaker
    breaker.record_outage("unavailable", None, breaker.epoch)
    await eventually(breaker.try_begin, within=2)
    breaker.record_success(breaker.epoch)
    soon.errors.append(Unavailable("503"))
    opened = breaker.epoch
    soon.member.may_store_starts.set()
    await eventually(lambda: soon.calls == [1, 1], within=2)  # it called, met the outage, and probed after a pause
    assert breaker.epoch > opened + 1


async def test_a_probe_that_became_another_members_leaves_the_probe_to_others(soon: Processing) -> None:
    soon.gate.breaker.record_outage("unavailable", None, soon.gate.breaker.epoch)
    soon.member.lost = True
    soon.member.may_store_starts.set()
    lost = soon.process(topic_submitted())
    await eventually(lambda: lost.progress is Progress.SETTLED, within=2)
    await eventually(lambda: soon.gate.allows_probe, within=2)
    assert soon.calls == []


async def test_work_of_no_attempt_is_done_whether_its_attempt_has_ended_or_not_and_ends_none(soon: Processing) -> None:
    soon.member.may_store_starts.set()
    for event in (article_removed(attempt=1), forget_article(attempt=1), forget_article(attempt=2)):
        soon.process(event)
    await eventually(lambda: len(soon.member.settled) == 3, within=2)
    assert soon.calls == [1, 2]
    soon.process(article_submitted(attempt=2))
    await eventually(lambda: soon.calls == [1, 2, 2], within=2)


async def test_what_was_removed_while_its_start_was_stored_is_not_called(soon: Processing) -> None:
    delivery = soon.process(topic_submitted(attempt=1))
    await asyncio.sleep(0.01)
    soon.process(removed(attempt=1))
    await eventually(lambda: delivery.is_superseded, within=2)
    soon.member.may_store_starts.set()
    await eventually(lambda: delivery.progress is Progress.SETTLED, within=2)
    assert soon.calls == []


async def test_what_was_paused_while_its_start_was_stored_is_called_after_the_pause(soon: Processing) -> None:
    delivery = soon.process(topic_submitted())
    await asyncio.sleep(0.01)
    soon.gate.pause(datetime.now(UTC))
    soon.member.may_store_starts.set()
    await eventually(lambda: delivery.progress is Progress.WAITING, within=2)
    assert soon.calls == []
    soon.gate.pause(None)
    await eventually(lambda: delivery.progress is Progress.SETTLED, within=2)
    assert soon.calls == [1]


async def test_an_outage_met_while_a_start_was_stored_holds_the_call_back(soon: Processing) -> None:
    delivery = soon.process(topic_submitted())
    await asyncio.sleep(0.01)
    soon.gate.breaker.record_outage("unavailable", 60.0, soon.gate.breaker.epoch)
    soon.member.may_store_starts.set()
    await eventually(lambda: delivery.progress is Progress.WAITING, within=2)
    assert soon.calls == []
    assert soon.gate.breaker.state is BreakerState.OPEN


async def test_a_delivery_that_is_stored_after_its_task_was_cancelled_is_known_to_be_settled(soon: Processing) -> None:
    commit = asyncio.create_task(soon.writer.commit(settled := Delivery(record(topic_submitted()), 0, "7")))
    await asyncio.sleep(0)
    commit.cancel()
    await eventually(lambda: soon.member.settled, within=2)
    assert soon.writer.settled_unawaited == {settled}
