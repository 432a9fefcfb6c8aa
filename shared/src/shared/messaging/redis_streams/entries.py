"""Converts Redis entries to deliveries and back, and translates Redis errors."""

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
REMEMBERED = timedelta(minutes=10)  # how long the id of a published event that causes work is remembered
NOT_OURS = "backslashreplace"  # a stream may contain anything; nothing in an entry may stop the reader
_CLOSED = "the handler is closed"
_NOT_NOW = ("MISCONF", "READONLY", "MASTERDOWN", "BUSY ", "LOADING")  # disk full, failover, …


@contextmanager
def reaching() -> Iterator[None]:
    """Turns Redis errors into ours.

    A cancellation is raised even if redis-py lost it: it writes within `asyncio.wait_for`, which before Python 3.12
    swallows one that arrives when the write has finished (python/cpython#86296).
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
    """None: Redis refuses the command, or it is not an error of Redis: a bug of ours.

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
    return BrokerUnreachable(f"Redis: {error}") if str(error).startswith(_NOT_NOW) else None


def block(timeout: float) -> int:
    """Milliseconds of a blocking read: 0 would block forever, and the socket must not time out before Redis answers."""
    return int(min(max(timeout, 0.001), SOCKET_TIMEOUT - 1) * 1000)


def publish_args(record: Record) -> list[str | bytes | int]:
    stream = BY_NAME.get(record.stream)
    if stream and stream.keeps_last:
        return ["L", record.stream, record.key, last_value(record)]
    once = record.event_id if stream and stream.causes_work else ""
    fields: list[str | bytes | int] = [part for header in record.headers.items() for part in header]
    length = stream.max_length or 0 if stream else 0
    return [
        *("P", record.stream, once, int(REMEMBERED.total_seconds()), length, len(fields) + 2),
        *fields,
        *("data", record.data),
    ]


def last_value(record: Record) -> bytes:
    """The record as it is stored in a hash."""
    return to_json({"headers": record.headers, "data": record.data})


def record_of(stream: str, key: bytes, value: bytes) -> Record:
    """The record of a last value; a foreign value becomes a record that cannot be decoded."""
    with suppress(ValueError, LookupError, TypeError, AttributeError):
        found = from_json(value)
        return Record(stream, key.decode(), dict(found["headers"]), found["data"].encode())
    return Record(stream, "", {}, value)


def delivery_of(stream: str, entry_id: bytes, fields: Mapping[bytes, bytes], starts: int = 0) -> Delivery:
    headers = {_name(name): value.decode("ascii", NOT_OURS) for name, value in fields.items() if name != b"data"}
    record = Record(stream, headers.get("ce_subject", ""), headers, fields.get(b"data", b""))
    return Delivery(record, ONLY_PARTITION, entry_id.decode(), starts)


@lru_cache(256)
def _name(text: bytes) -> str:
    return text.decode("ascii", NOT_OURS)


def pairs(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def entry_time(entry_id: bytes | str) -> datetime:
    """The time in an entry's id: the broker's clock, in milliseconds."""
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    return datetime.fromtimestamp(int(text.partition("-")[0]) / 1000, UTC)


def order(entry_id: str) -> tuple[int, ...]:
    return tuple(map(int, entry_id.split("-")))


def after(entry_id: str) -> str:
    milliseconds, sequence = order(entry_id)
    return f"{milliseconds}-{sequence + 1}"
