"""Streams that nobody settles, of one partition: every reader reads all of them, in a group of its own that is none."""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.errors import BrokerUnreachable
from shared.events import Event
from shared.messaging.broadcast import note_beat, readable
from shared.messaging.broker import Note
from shared.messaging.kafka.connection import PATIENCE, Cluster, delivery_of, gone, reaching, stored_at
from shared.streams import WORKER_CONTROL, WORKER_HEARTBEATS, Stream

log = structlog.get_logger()


async def follow_heartbeats(cluster: Cluster, note: Note) -> None:
    def tell(record: ConsumerRecord) -> None:
        note_beat(delivery_of(cluster, record).record, stored_at(record), note)

    await _follow(cluster, WORKER_HEARTBEATS, tell, lambda: None)


async def follow_control(cluster: Cluster, note: Callable[[Event], None], caught_up: Callable[[], None]) -> None:
    """Of what it is told Kafka keeps the last value of each key."""

    def tell(record: ConsumerRecord) -> None:
        if event := readable(delivery_of(cluster, record).record):
            note(event)

    await _follow(cluster, WORKER_CONTROL, tell, caught_up)


async def _follow(
    cluster: Cluster, stream: Stream, tell: Callable[[ConsumerRecord], None], caught_up: Callable[[], None]
) -> None:
    """Until cancelled. After a lost connection from the beginning again: what is told twice is known."""
    while True:
        consumer = AIOKafkaConsumer(**cluster.options, auto_offset_reset="earliest")
        try:
            with reaching():
                await _read(cluster, stream, consumer, tell, caught_up)
        except BrokerUnreachable as error:
            log.debug("a stream is not followed", stream=stream.name, error=str(error))
            await asyncio.sleep(0.25)
        finally:
            await gone(consumer.stop())


async def _read(
    cluster: Cluster,
    stream: Stream,
    consumer: AIOKafkaConsumer,
    tell: Callable[[ConsumerRecord], None],
    caught_up: Callable[[], None],
) -> None:
    """From the beginning, or from the newest on where only so many count."""
    place = TopicPartition(cluster.name(stream.name), 0)
    async with asyncio.timeout(PATIENCE):
        await consumer.start()
        consumer.assign([place])
        (end,) = (await consumer.end_offsets([place])).values()
        if stream.max_length:
            (beginning,) = (await consumer.beginning_offsets([place])).values()
            consumer.seek(place, max(beginning, end - stream.max_length))
    is_new = True
    while True:
        if is_new and await consumer.position(place) >= end:
            is_new = False
            caught_up()
        for record in (await consumer.getmany(timeout_ms=1000)).get(place, ()):
            tell(record)
