"""Converts between Redis entries and deliveries, and translates Redis errors."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from pydantic_core import from_json, to_json
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from shared.errors import BrokerFull, BrokerUnreachable, PositionsLost, TopicflowError
from shared.messaging.broker import ONLY_PARTITION, Delivery
from shared.messaging.cloudevents import Record
from shared.messaging.provisioning import PROVISION
from shared.observability.metrics import BROKER_ERRORS
from shared.streams import BY_NAME

SOCKET_TIMEOUT = 5.0  # seconds
Entries = list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]  # by stream: ids and fields
DEDUPLICATION_WINDOW = timedelta(minutes=10)  # in which a work event is stored once
UNDECODABLE = "backslashreplace"  # error handler: a stream may contain anything, and no entry may stop the reader
_CLOSED = "the handler is closed"
_TEMPORARY = ("MISCONF", "READONLY", "MASTERDOWN", "BUSY ", "LOADING")  # disk full, failover, …


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns Redis errors into ours.

    A cancellation is raised even if redis-py lost it. redis-py writes within `asyncio.wait_for`, which before Python
    3.12 swallows a cancellation that arrives when the write has just finished (python/cpython#86296).
    """
    task = asyncio.current_task()
    cancelled_before = task.cancelling() if task else 0
    try:
        yield
    except (RedisError, OSError, RuntimeError) as error:
        translated = _translated(error)
        if translated is None:
            raise
        BROKER_ERRORS.labels(type(translated).__name__).inc()
        raise translated from error
    finally:
        if task and task.cancelling() > cancelled_before:
            raise asyncio.CancelledError


def _translated(error: Exception) -> TopicflowError | None:
    """None for errors that are our bugs: Redis rejects the command, or the error is not from Redis.

    uvloop raises RuntimeError for a write on a connection that was just lost (MagicStack/uvloop#506).
    """
    if isinstance(error, RuntimeError) and _CLOSED not in str(error):
        return None
    if isinstance(error, OutOfMemoryError) or str(error).startswith("OOM"):
        return BrokerFull("Redis has reached its memory limit")
    if not isinstance(error, ResponseError):
        return BrokerUnreachable(f"Redis does not answer: {str(error).rstrip('.')[:200]}")
    if "NOGROUP" in str(error) or "no such key" in str(error):
        return PositionsLost(f"Redis lost a consumer group: {error}. {PROVISION}")
    return BrokerUnreachable(f"Redis: {error}") if str(error).startswith(_TEMPORARY) else None


def block(timeout: float) -> int:
    """Milliseconds of a blocking read: 0 would block forever, and the socket must not time out before Redis answers."""
    return int(min(max(timeout, 0.001), SOCKET_TIMEOUT - 1) * 1000)


def publish_args(record: Record) -> list[str | bytes | int]:
    stream = BY_NAME.get(record.stream)
    if stream and stream.keeps_last:
        return ["L", record.stream, record.key, last_value(record)]
    dedup_id = record.event_id if stream and stream.causes_work else ""
    fields: list[str | bytes | int] = [part for header in record.headers.items() for part in header]
    length = stream.max_length or 0 if stream else 0
    return [
        *("P", record.stream, dedup_id, int(DEDUPLICATION_WINDOW.total_seconds()), length, len(fields) + 2),
        *fields,
        *("data", record.data),
    ]


def last_value(record: Record) -> bytes:
    """The record as it is stored in a hash."""
    return to_json({"headers": record.headers, "data": record.data})


def record_of(stream: str, key: bytes, value: bytes) -> Record:
    """The record of a last value; a foreign value becomes a record that cannot be decoded."""
    with suppress(ValueError, LookupError, TypeError, AttributeError):
        stored = from_json(value)
        return Record(stream, key.decode(), dict(stored["headers"]), stored["data"].encode())
    return Record(stream, "", {}, value)


def delivery_of(stream: str, entry_id: bytes, fields: Mapping[bytes, bytes], starts: int = 0) -> Delivery:
    headers = {_name(name): value.decode("ascii", UNDECODABLE) for name, value in fields.items() if name != b"data"}
    record = Record(stream, headers.get("ce_subject", ""), headers, fields.get(b"data", b""))
    return Delivery(record, ONLY_PARTITION, entry_id.decode(), starts)


@lru_cache(256)
def _name(text: bytes) -> str:
    return text.decode("ascii", UNDECODABLE)


def pairs(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def entry_time(entry_id: bytes | str) -> datetime:
    """The time in an entry's id: the broker's clock, in milliseconds."""
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    return datetime.fromtimestamp(int(text.partition("-")[0]) / 1000, UTC)


def sort_key(entry_id: str) -> tuple[int, ...]:
    return tuple(map(int, entry_id.split("-")))


def after(entry_id: str) -> str:
    milliseconds, sequence = sort_key(entry_id)
    return f"{milliseconds}-{sequence + 1}"
