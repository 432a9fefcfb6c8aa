"""What a worker says and ends, in order and in batches: while one batch is being stored, the next one gathers."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from shared.errors import BrokerUnreachable
from shared.messaging.broker import Consumer, Delivery, Settled
from shared.messaging.cloudevents import Record
from shared.resilience.backoff import RetryPolicy, backoff_delay

log = structlog.get_logger()
BATCH = 500
MANY = 30  # entries: so many a time, and the next ones may gather for a moment, for a write costs as much for few
LINGER = 0.02  # seconds that what is only said waits for an end: one write to the broker's file where there were two


class OutcomeWriter:
    def __init__(self, consumer: Consumer, policy: RetryPolicy) -> None:
        self._consumer = consumer
        self._policy = policy
        self._waiting: list[tuple[Settled, asyncio.Future[None] | None]] = []
        self._filled = asyncio.Event()
        self._urgent = asyncio.Event()  # somebody waits until it is stored
        self._empty = asyncio.Event()
        self._empty.set()
        self.broker_error: str | None = None

    def enqueue(self, *records: Record) -> None:
        """Stored some time later, before everything that is put in after it."""
        self._put(Settled(records), None)

    async def commit(self, delivery: Delivery, records: Sequence[Record] = ()) -> None:
        """Returns when the records are stored and the delivery is ended, which are one step where the broker can."""
        stored = asyncio.get_running_loop().create_future()
        self._put(Settled(records, delivery), stored)
        self._urgent.set()
        await stored

    def _put(self, settled: Settled, stored: asyncio.Future[None] | None) -> None:
        self._waiting.append((settled, stored))
        self._empty.clear()
        self._filled.set()

    async def flush(self, within: float) -> None:
        """Until everything is stored, or so many seconds have passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._empty.wait()

    async def run(self) -> None:
        """Until cancelled. An unreachable broker is retried for ever: events are named, so repeating is harmless."""
        failures = 0
        while True:
            await self._filled.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await self._urgent.wait()
            batch = self._waiting[:BATCH]
            try:
                await self._consumer.settle([settled for settled, _ in batch])
            except BrokerUnreachable as error:
                failures += 1
                if self.broker_error is None:
                    log.warning("outcomes wait for the broker", error=str(error))
                self.broker_error = str(error)
                await asyncio.sleep(min(2.0, backoff_delay(failures, self._policy)))
                continue
            if self.broker_error:
                log.info("the broker is back, outcomes are stored")
            failures, self.broker_error = 0, None
            del self._waiting[: len(batch)]
            if not any(stored for _, stored in self._waiting):
                self._urgent.clear()
            if not self._waiting:
                self._filled.clear()
                self._empty.set()
            for _, stored in batch:
                if stored and not stored.done():
                    stored.set_result(None)
            if len(batch) >= MANY > len(self._waiting):
                await asyncio.sleep(LINGER)
