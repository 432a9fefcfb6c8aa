"""Heartbeats are not settled: every reader reads all of them, in a group of its own that is none."""

import asyncio

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.errors import BrokerUnreachable
from shared.streams import WORKER_HEARTBEATS
from shared.transport.base import Note
from shared.transport.kafka.connection import PATIENCE, Cluster, delivery_of, gone, reaching, stored_at
from shared.transport.unsettled import note_beat

log = structlog.get_logger()


async def follow_heartbeats(cluster: Cluster, note: Note) -> None:
    while True:
        consumer = AIOKafkaConsumer(**cluster.options)
        try:
            with reaching():
                await _follow(cluster, consumer, note)
        except BrokerUnreachable as error:
            log.debug("no heartbeats", error=str(error))
            await asyncio.sleep(0.25)
        finally:
            await gone(consumer.stop())


async def _follow(cluster: Cluster, consumer: AIOKafkaConsumer, note: Note) -> None:
    """From the newest thousand on."""
    place = TopicPartition(cluster.name(WORKER_HEARTBEATS.name), 0)
    async with asyncio.timeout(PATIENCE):
        await consumer.start()
        consumer.assign([place])
        (end,) = (await consumer.end_offsets([place])).values()
        (beginning,) = (await consumer.beginning_offsets([place])).values()
    consumer.seek(place, max(beginning, end - (WORKER_HEARTBEATS.max_length or 0)))
    while True:
        for record in (await consumer.getmany(timeout_ms=1000)).get(place, ()):
            note_beat(delivery_of(cluster, record).record, stored_at(record), note)
