"""Reads broadcast streams, which have one partition: every reader reads all records, without a consumer group."""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.errors import BrokerUnreachable
from shared.events import Event
from shared.messaging.broadcast import decode_or_skip, dispatch_heartbeat
from shared.messaging.broker import Note
from shared.messaging.kafka.connection import (
    REQUEST_TIMEOUT_SECONDS,
    Cluster,
    close_quietly,
    delivery_of,
    stored_at,
    translated_errors,
)
from shared.streams import WORKER_CONTROL, WORKER_HEARTBEATS, Stream

log = structlog.get_logger()


async def follow_heartbeats(cluster: Cluster, note: Note) -> None:
    def tell(record: ConsumerRecord) -> None:
        dispatch_heartbeat(delivery_of(cluster, record).record, stored_at(record), note)

    await _follow(cluster, WORKER_HEARTBEATS, tell, lambda: None)


async def follow_control(cluster: Cluster, note: Callable[[Event], None], caught_up: Callable[[], None]) -> None:
    """The stream is compacted: Kafka keeps the last value of each key."""

    def tell(record: ConsumerRecord) -> None:
        if event := decode_or_skip(delivery_of(cluster, record).record):
            note(event)

    await _follow(cluster, WORKER_CONTROL, tell, caught_up)


async def _follow(
    cluster: Cluster, stream: Stream, tell: Callable[[ConsumerRecord], None], caught_up: Callable[[], None]
) -> None:
    """Runs until cancelled. After a lost connection it starts from the beginning; repeated events are harmless."""
    while True:
        consumer = AIOKafkaConsumer(**cluster.options, auto_offset_reset="earliest")
        try:
            with translated_errors():
                await _read(cluster, stream, consumer, tell, caught_up)
        except BrokerUnreachable as error:
            log.debug("broadcast_stream_unreachable", stream=stream.name, error=str(error))
            await asyncio.sleep(0.25)
        finally:
            await close_quietly(consumer.stop())


async def _read(
    cluster: Cluster,
    stream: Stream,
    consumer: AIOKafkaConsumer,
    tell: Callable[[ConsumerRecord], None],
    caught_up: Callable[[], None],
) -> None:
    """Reads from the beginning, or the last `max_length` records if the stream has such a limit."""
    place = TopicPartition(cluster.name(stream.name), 0)
    async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
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
