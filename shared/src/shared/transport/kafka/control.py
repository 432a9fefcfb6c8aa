"""`worker-control` is not settled: every worker reads all of it, of which Kafka keeps the last value of each key."""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.errors import BrokerUnreachable
from shared.events import Event
from shared.streams import WORKER_CONTROL
from shared.transport.kafka.connection import PATIENCE, Cluster, delivery_of, gone, reaching
from shared.transport.unsettled import readable

log = structlog.get_logger()


async def follow_control(cluster: Cluster, note: Callable[[Event], None], caught_up: Callable[[], None]) -> None:
    """After a lost connection from the beginning again: what is told twice is known."""
    while True:
        consumer = AIOKafkaConsumer(**cluster.options, auto_offset_reset="earliest")
        try:
            with reaching():
                await _follow(cluster, consumer, note, caught_up)
        except BrokerUnreachable as error:
            log.debug("no control", error=str(error))
            await asyncio.sleep(0.25)
        finally:
            await gone(consumer.stop())


async def _follow(
    cluster: Cluster, consumer: AIOKafkaConsumer, note: Callable[[Event], None], caught_up: Callable[[], None]
) -> None:
    place = TopicPartition(cluster.name(WORKER_CONTROL.name), 0)
    async with asyncio.timeout(PATIENCE):
        await consumer.start()
        consumer.assign([place])
        (end,) = (await consumer.end_offsets([place])).values()
    is_new = True
    while True:
        if is_new and await consumer.position(place) >= end:
            is_new = False
            caught_up()
        for record in (await consumer.getmany(timeout_ms=1000)).get(place, ()):
            if event := readable(delivery_of(cluster, record).record):
                note(event)
