"""Reads by the batch from all partitions; makes the next batch while the last one is stored."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.baseline.events import GROUP, OUTCOMES, SUBMISSIONS, BatchRows, Store, outcomes

AT_ONCE = 500  # submissions
READ = 2000  # events
Positions = Mapping[TopicPartition, int]


def work(url: str) -> None:
    _run(_work(_servers(url)))


def project(url: str, store: Store) -> None:
    _run(_project(_servers(url), store))


async def _work(servers: str) -> None:
    consumer = AIOKafkaConsumer(
        SUBMISSIONS, bootstrap_servers=servers, group_id=GROUP, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", max_batch_size=256 * 1024)
    await asyncio.gather(consumer.start(), producer.start())
    settling: asyncio.Future[None] = asyncio.ensure_future(asyncio.sleep(0))
    while True:
        found = await consumer.getmany(timeout_ms=1000, max_records=AT_ONCE)
        submitted = [record.value for records in found.values() for record in records]
        stored = [
            await producer.send(
                OUTCOMES, data.encode(), key=id_.encode(), headers=[(name, v.encode()) for name, v in headers.items()]
            )
            for id_, headers, data in outcomes(submitted)
        ]
        await settling
        settling = asyncio.ensure_future(_settle(consumer, stored, _after(found)))


async def _settle(consumer: AIOKafkaConsumer, stored: Sequence[asyncio.Future[Any]], reached: Positions) -> None:
    if reached:
        await asyncio.gather(*stored)
        await consumer.commit(reached)


async def _project(servers: str, store: Store) -> None:
    """Of no group, so all partitions are its own."""
    consumer = AIOKafkaConsumer(SUBMISSIONS, OUTCOMES, bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    at: dict[str, int] = {}
    storing: asyncio.Future[None] = asyncio.ensure_future(asyncio.sleep(0))
    while True:
        found = await consumer.getmany(timeout_ms=1000, max_records=READ)
        batch = BatchRows()
        for records in found.values():
            for record in records:
                headers = dict(record.headers)
                batch.add(headers["ce_type"], headers["ce_id"], headers["ce_time"], record.value)
        at = at | {f"{place.topic}/{place.partition}": position for place, position in _after(found).items()}
        if batch.history:
            await storing
            storing = asyncio.ensure_future(asyncio.to_thread(store, batch, at))


def _after(found: Mapping[TopicPartition, Sequence[Any]]) -> Positions:
    return {place: records[-1].offset + 1 for place, records in found.items()}


def _servers(url: str) -> str:
    return url.removeprefix("kafka://")


def _run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
