"""Reads broadcast streams, which have one partition: every reader reads all records, without a consumer group."""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.errors import BrokerUnreachable
from shared.events import Event
from shared.messaging.broadcast import decode_or_skip, dispatch_heartbeat
from shared.messaging.broker import OnHeartbeat
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


async def follow_heartbeats(cluster: Cluster, on_heartbeat: OnHeartbeat) -> None:
    def on_record(record: ConsumerRecord) -> None:
        dispatch_heartbeat(delivery_of(cluster, record).record, stored_at(record), on_heartbeat)

    await _follow(cluster, WORKER_HEARTBEATS, on_record, lambda: None)


async def follow_control(cluster: Cluster, on_event: Callable[[Event], None], on_caught_up: Callable[[], None]) -> None:
    """The stream is compacted: Kafka keeps the last value of each key."""

    def on_record(record: ConsumerRecord) -> None:
        if event := decode_or_skip(delivery_of(cluster, record).record):
            on_event(event)

    await _follow(cluster, WORKER_CONTROL, on_record, on_caught_up)


async def _follow(
    cluster: Cluster, stream: Stream, on_record: Callable[[ConsumerRecord], None], on_caught_up: Callable[[], None]
) -> None:
    """Runs until cancelled. After a lost connection it starts from the beginning; repeated events are harmless."""
    while True:
        consumer = AIOKafkaConsumer(**cluster.options, auto_offset_reset="earliest")
        try:
            with translated_errors():
                await _read(cluster, stream, consumer, on_record, on_caught_up)
        except BrokerUnreachable as error:
            log.debug("broadcast_stream_unreachable", stream=stream.name, error=str(error))
            await asyncio.sleep(0.25)
        finally:
            await close_quietly(consumer.stop())


async def _read(
    cluster: Cluster,
    stream: Stream,
    consumer: AIOKafkaConsumer,
    on_record: Callable[[ConsumerRecord], None],
    on_caught_up: Callable[[], None],
) -> None:
    """Reads from the beginning, or the last `max_length` records if the stream has such a limit."""
    partition = TopicPartition(cluster.name(stream.name), 0)
    async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
        await consumer.start()
        consumer.assign([partition])
        (end,) = (await consumer.end_offsets([partition])).values()
        if stream.max_length:
            (beginning,) = (await consumer.beginning_offsets([partition])).values()
            consumer.seek(partition, max(beginning, end - stream.max_length))
    is_catching_up = True
    while True:
        if is_catching_up and await consumer.position(partition) >= end:
            is_catching_up = False
            on_caught_up()
        for record in (await consumer.getmany(timeout_ms=1000)).get(partition, ()):
            on_record(record)
