"""Reads heartbeats: every reader reads all of them, through a FastStream subscriber without a handler."""

import asyncio

import structlog
from faststream.redis import RedisBroker, RedisStreamMessage, StreamSub
from faststream.redis.message import FAKE_CONSUMER, DefaultStreamMessage

from shared.errors import BrokerUnreachable
from shared.messaging.broadcast import dispatch_heartbeat
from shared.messaging.broker import Note
from shared.messaging.redis_streams.entries import delivery_of, entry_time, reaching
from shared.streams import WORKER_HEARTBEATS

log = structlog.get_logger()


async def follow_heartbeats(shell: RedisBroker, note: Note) -> None:
    """Until cancelled: tell `note` every beat and when the broker stored it, from the oldest that is kept.

    FastStream's own loop waits 5 s after a lost connection, longer than a dead worker may stay unnoticed, so the loop
    is ours.
    """
    subscriber = shell.subscriber(stream=StreamSub(WORKER_HEARTBEATS.name, last_id="0"), parser=_as_it_is)
    is_started = False
    try:
        while True:
            try:
                with reaching():
                    if not is_started:
                        await shell.start()
                        is_started = True
                    message = await subscriber.get_one(timeout=1.0)
            except BrokerUnreachable as error:
                log.debug("heartbeats_unreachable", error=str(error))
                await asyncio.sleep(0.25)
                continue
            if message:
                _note(message.raw_message, note)
    finally:
        await shell.stop()


def _note(entry: DefaultStreamMessage, note: Note) -> None:
    entry_id = entry["message_ids"][0]
    dispatch_heartbeat(delivery_of(WORKER_HEARTBEATS.name, entry_id, entry["data"]).record, entry_time(entry_id), note)


async def _as_it_is(message: DefaultStreamMessage) -> RedisStreamMessage:
    """Entries are CloudEvents, not FastStream's envelope: `cloudevents.decode` reads them."""
    return RedisStreamMessage(raw_message=message, body=b"", consumer=FAKE_CONSUMER, group=None)
