"""Connects to Kafka: addresses, TLS and SASL; translates its errors; converts records both ways."""

import asyncio
import logging
import ssl
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import (
    AuthenticationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
)
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared.errors import BrokerUnreachable, PositionsLost, TopicflowError
from shared.messaging.broker import Delivery
from shared.messaging.cloudevents import Record
from shared.messaging.provisioning import PROVISION
from shared.observability.metrics import BROKER_ERRORS

log = structlog.get_logger()
REQUEST_TIMEOUT_SECONDS = 5.0  # seconds
UNDECODABLE = "backslashreplace"  # error handler: a stream may contain anything, and no record may stop the reader
MAX_RECORD_BYTES = 8 * 2**20  # with headers
MAX_DEAD_LETTER_BYTES = MAX_RECORD_BYTES + 128 * 1024  # it has headers of its own besides
_SASL = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its errors are raised as well, and we log them once


@dataclass(frozen=True, slots=True)
class Login:
    mechanism: str  # PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """`servers`: host:port, comma-separated. `prefix`: of all stream and group names."""

    servers: str
    prefix: str = ""
    tls: ssl.SSLContext | None = None
    login: Login | None = None

    def name(self, stream_or_group: str) -> str:
        return self.prefix + stream_or_group

    def stream(self, name: str) -> str:
        return name.removeprefix(self.prefix)

    @property
    def options(self) -> dict[str, Any]:
        """Options of all clients."""
        protocol = ("SASL_" if self.login else "") + ("SSL" if self.tls else "PLAINTEXT")
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "client_id": "topicflow",
            "request_timeout_ms": int(REQUEST_TIMEOUT_SECONDS * 1000),
            "security_protocol": protocol,
            "ssl_context": self.tls,
        }
        if self.login:
            options |= {
                "sasl_mechanism": self.login.mechanism,
                "sasl_plain_username": self.login.username,
                "sasl_plain_password": self.login.password,
            }
        return options

    @property
    def security(self) -> BaseSecurity:
        """The same options in FastStream's form."""
        if not self.login:
            return BaseSecurity(ssl_context=self.tls, use_ssl=self.tls is not None)
        return _SASL[self.login.mechanism](
            self.login.username, self.login.password, ssl_context=self.tls, use_ssl=self.tls is not None
        )


@contextmanager
def translated_errors(*excluded: type[Exception]) -> Iterator[None]:
    """Turns Kafka errors into ours, except those of the `excluded` types."""
    task = asyncio.current_task()
    cancelled_before = task.cancelling() if task else 0
    try:
        yield
    except excluded:
        raise
    except (KafkaError, TimeoutError, OSError) as error:
        translated = _translated(error)
        BROKER_ERRORS.labels(type(translated).__name__).inc()
        raise translated from error
    except asyncio.CancelledError as error:
        if task is None or task.cancelling() > cancelled_before:
            raise
        raise BrokerUnreachable("Kafka's client cancelled the request") from error  # cancelled by aiokafka itself


def _translated(error: Exception) -> TopicflowError:
    text = str(error) or type(error).__name__
    match error:
        case NoOffsetForPartitionError() | OffsetOutOfRangeError():
            return PositionsLost(f"Kafka lost an offset: {text}. {PROVISION}")
        case UnknownTopicOrPartitionError():
            return BrokerUnreachable(f"a stream is missing in Kafka: {PROVISION}")
        case AuthenticationFailedError() | UnsupportedSaslMechanismError():
            return BrokerUnreachable(f"Kafka refuses the login: {text[:200]}")
        case TopicAuthorizationFailedError() | GroupAuthorizationFailedError():
            return BrokerUnreachable(f"Kafka does not authorize this user: {text[:200]}")
        case TimeoutError():
            return BrokerUnreachable(f"Kafka does not answer within {REQUEST_TIMEOUT_SECONDS:.0f} s")
    return BrokerUnreachable(f"Kafka does not answer: {text[:200]}")


async def close_quietly(closing: Coroutine[Any, Any, None]) -> None:
    """Waits until a client has closed, with a timeout, because it hangs without a broker. Runs in a separate task,
    because a cancellation inside aiokafka may otherwise surface in the caller."""
    ending = asyncio.create_task(closing)
    if not (await asyncio.wait([ending], timeout=REQUEST_TIMEOUT_SECONDS))[0]:
        ending.cancel()
    elif not ending.cancelled() and (error := ending.exception()):
        log.debug("client_close_failed", error=repr(error))


def headers_of(record: Record) -> list[tuple[str, bytes]]:
    return [(name, value.encode("ascii", UNDECODABLE)) for name, value in record.headers.items()]


def delivery_of(cluster: Cluster, consumer_record: ConsumerRecord, starts: int = 0) -> Delivery:
    headers = {name: (value or b"").decode("ascii", UNDECODABLE) for name, value in consumer_record.headers}
    key = (consumer_record.key or b"").decode("utf-8", UNDECODABLE)
    record = Record(_stream(cluster, consumer_record.topic), key, headers, consumer_record.value or b"")
    return Delivery(record, consumer_record.partition, str(consumer_record.offset), starts)


@lru_cache(256)
def _stream(cluster: Cluster, topic: str) -> str:
    return cluster.stream(topic)


def topic_partition_of(cluster: Cluster, delivery: Delivery) -> TopicPartition:
    return TopicPartition(cluster.name(delivery.record.stream), delivery.partition)


def stored_at(consumer_record: ConsumerRecord) -> datetime:
    """Time by the broker's clock: streams are provisioned with LogAppendTime."""
    return datetime.fromtimestamp(consumer_record.timestamp / 1000, UTC)
