"""Reads heartbeats: every reader reads all of them, through a FastStream subscriber without a handler."""

import asyncio

import structlog
from faststream.redis import RedisBroker, RedisStreamMessage, StreamSub
from faststream.redis.message import FAKE_CONSUMER, DefaultStreamMessage

from shared.errors import BrokerUnreachable
from shared.messaging.broadcast import dispatch_heartbeat
from shared.messaging.broker import OnHeartbeat
from shared.messaging.redis_streams.entries import delivery_of, entry_time, translated_errors
from shared.streams import WORKER_HEARTBEATS

log = structlog.get_logger()


async def follow_heartbeats(shell: RedisBroker, on_heartbeat: OnHeartbeat) -> None:
    """See `Transport.follow_heartbeats`.

    Has its own loop, because FastStream's waits 5 s after a lost connection, longer than a dead worker may go
    unnoticed.
    """
    subscriber = shell.subscriber(stream=StreamSub(WORKER_HEARTBEATS.name, last_id="0"), parser=_unparsed)
    is_started = False
    try:
        while True:
            try:
                with translated_errors():
                    if not is_started:
                        await shell.start()
                        is_started = True
                    message = await subscriber.get_one(timeout=1.0)
            except BrokerUnreachable as error:
                log.debug("heartbeats_unreachable", error=str(error))
                await asyncio.sleep(0.25)
                continue
            if message:
                _dispatch(message.raw_message, on_heartbeat)
    finally:
        await shell.stop()


def _dispatch(entry: DefaultStreamMessage, on_heartbeat: OnHeartbeat) -> None:
    entry_id = entry["message_ids"][0]
    record = delivery_of(WORKER_HEARTBEATS.name, entry_id, entry["data"]).record
    dispatch_heartbeat(record, entry_time(entry_id), on_heartbeat)


async def _unparsed(message: DefaultStreamMessage) -> RedisStreamMessage:
    """Entries are CloudEvents, not FastStream's envelope: `cloudevents.decode` reads them."""
    return RedisStreamMessage(raw_message=message, body=b"", consumer=FAKE_CONSUMER, group=None)
