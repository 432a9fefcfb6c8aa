"""Stores what a worker reports, in order and in batches: while one batch is being stored, the next one fills."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from shared.errors import BrokerUnreachable
from shared.messaging.broker import Consumer, Delivery, Settled
from shared.messaging.cloudevents import Record
from shared.resilience.backoff import Backoff, RetryPolicy

log = structlog.get_logger()
BATCH = 500
LARGE = 30  # entries: after a batch of this size the next one fills for a moment, because a write costs as much for few
LINGER = 0.02  # seconds that reports without a delivery wait for one: a single write to the broker's file, not two


class OutcomeWriter:
    def __init__(self, consumer: Consumer, policy: RetryPolicy) -> None:
        self._consumer = consumer
        self._policy = policy
        self._queue: list[tuple[Settled, asyncio.Future[None] | None]] = []
        self._is_filled = asyncio.Event()
        self._is_urgent = asyncio.Event()  # a delivery waits to be settled
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self.broker_error: str | None = None
        self.settled_unawaited: set[Delivery] = set()  # stored after their committers were cancelled

    def enqueue(self, *records: Record) -> None:
        """Stored some time later, before everything that is enqueued after it."""
        self._put(Settled(records), None)

    async def commit(self, delivery: Delivery, records: Sequence[Record] = ()) -> None:
        """Returns when the records are stored and the delivery is settled: one step where the broker can do that."""
        stored = asyncio.get_running_loop().create_future()
        self._put(Settled(records, delivery), stored)
        self._is_urgent.set()
        await stored

    def _put(self, settled: Settled, stored: asyncio.Future[None] | None) -> None:
        self._queue.append((settled, stored))
        self._is_empty.clear()
        self._is_filled.set()

    async def flush(self, within: float) -> None:
        """Returns when everything is stored, or after this many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._is_empty.wait()

    async def run(self) -> None:
        """Until cancelled. Retries an unreachable broker for ever: events have ids, so repeating is harmless."""
        backoff = Backoff(self._policy, longest=2.0)
        while True:
            await self._is_filled.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await self._is_urgent.wait()
            batch = self._queue[:BATCH]
            try:
                await self._consumer.settle([settled for settled, _ in batch])
            except BrokerUnreachable as error:
                if not backoff.failures:
                    log.warning("outcomes_wait_for_broker", error=str(error))
                self.broker_error = str(error)
                await backoff.wait()
                continue
            if backoff.reset():
                log.info("outcomes_stored_again")
            self.broker_error = None
            self._remove(batch)
            if len(batch) >= LARGE > len(self._queue):
                await asyncio.sleep(LINGER)

    def _remove(self, batch: Sequence[tuple[Settled, asyncio.Future[None] | None]]) -> None:
        """A stored batch, telling its committers."""
        del self._queue[: len(batch)]
        if not any(stored for _, stored in self._queue):
            self._is_urgent.clear()
        if not self._queue:
            self._is_filled.clear()
            self._is_empty.set()
        for settled, stored in batch:
            if stored and not stored.done():
                stored.set_result(None)
            elif stored and settled.delivery:
                self.settled_unawaited.add(settled.delivery)
