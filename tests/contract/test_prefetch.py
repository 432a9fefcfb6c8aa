"""While calls are short a worker prefetches submissions, so that storing an outcome delays no call."""

import asyncio
from collections import Counter
from collections.abc import Iterable

from contract.brokers import Broker
from contract.submissions import many, names, submitted
from contract.workers import Workers, remains
from eventually import eventually

IN_FLIGHT, AT_HAND = 4, 1  # of calls of 0.1 s


def answer_slowly(workers: Workers, titles: Iterable[str], seconds: float = 0.1) -> None:
    for title in titles:
        workers.handler.answer(title, lambda: asyncio.sleep(seconds))


async def test_prefetched_submissions_are_handled_while_outcomes_are_stored(broker: Broker, workers: Workers) -> None:
    answer_slowly(workers, names(20))
    await broker.transport.publish(many(20))
    await workers.start(concurrency=IN_FLIGHT, store=3)
    await eventually(lambda: len(workers.handler.calls) == IN_FLIGHT + AT_HAND, within=2.5)
    assert not await workers.completed()
    assert workers.handler.most_running == IN_FLIGHT


async def test_short_calls_prefetch_enough_even_with_a_low_limit(broker: Broker, workers: Workers) -> None:
    await broker.transport.publish(many(200))  # each takes 5 ms
    worker = await workers.start(concurrency=IN_FLIGHT, store=0.05)
    await eventually(lambda: worker.loop.in_flight > 3 * IN_FLIGHT, within=15)
    await workers.settled(within=60)
    assert workers.handler.most_running == IN_FLIGHT
    assert await workers.completed() == Counter(names(200))


async def test_with_long_calls_nothing_is_prefetched(broker: Broker, workers: Workers) -> None:
    answer_slowly(workers, names(12), 0.3)
    await broker.transport.publish(many(12))
    worker = await workers.start(concurrency=IN_FLIGHT)
    await eventually(lambda: worker.loop.in_flight == IN_FLIGHT, within=15)
    await remains(lambda: worker.loop.in_flight <= IN_FLIGHT, during=0.5)
    await workers.settled()


async def test_a_stop_starts_no_prefetched_submission(broker: Broker, workers: Workers) -> None:
    can_end = asyncio.Event()
    for n in range(12):
        workers.handler.answer(f"later {n}", can_end.wait)
    answer_slowly(workers, names(8))
    await broker.transport.publish(many(8))
    worker = await workers.start(concurrency=IN_FLIGHT)
    await workers.settled()
    await broker.transport.publish([submitted(f"later {n}") for n in range(12)])
    await eventually(lambda: worker.loop.in_flight == IN_FLIGHT + AT_HAND, within=15)
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0)
    can_end.set()
    await stopping
    assert len(workers.handler.calls) == 8 + IN_FLIGHT
    await worker.consumer.close()
    await workers.start("b")
    await workers.settled()
    assert await workers.completed() == Counter([*names(8), *(f"later {n}" for n in range(12))])
