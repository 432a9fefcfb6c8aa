"""How Kafka is reached: addresses, TLS and SASL; Kafka's errors as ours; records as Kafka's and back."""

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
PATIENCE = 5.0  # seconds that a request may take
NOT_OURS = "backslashreplace"  # anybody can write anything into a stream; nothing of it may stop the reading
MOST_BYTES = 8 * 2**20  # of a record with its headers
_SASL = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says is raised too, and said once, by us


@dataclass(frozen=True, slots=True)
class Login:
    mechanism: str  # PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """`servers`: host:port, comma-separated. `prefix`: of the names of its streams and groups."""

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
        """Of every client."""
        protocol = ("SASL_" if self.login else "") + ("SSL" if self.tls else "PLAINTEXT")
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "client_id": "topicflow",
            "request_timeout_ms": int(PATIENCE * 1000),
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
        """The same, as FastStream wants it."""
        if not self.login:
            return BaseSecurity(ssl_context=self.tls, use_ssl=self.tls is not None)
        return _SASL[self.login.mechanism](
            self.login.username, self.login.password, ssl_context=self.tls, use_ssl=self.tls is not None
        )


@contextmanager
def reaching(*but: type[Exception]) -> Iterator[None]:
    """Kafka's errors as ours, by what must be done about them, `but` these."""
    task = asyncio.current_task()
    cancelled_before = task.cancelling() if task else 0
    try:
        yield
    except but:
        raise
    except (KafkaError, TimeoutError, OSError) as error:
        ours = _ours(error)
        BROKER_ERRORS.labels(type(ours).__name__).inc()
        raise ours from error
    except asyncio.CancelledError as error:
        if task is None or task.cancelling() > cancelled_before:
            raise
        raise BrokerUnreachable("Kafka's client gave up what was asked") from error  # cancelled by aiokafka itself


def _ours(error: Exception) -> TopicflowError:
    said = str(error) or type(error).__name__
    match error:
        case NoOffsetForPartitionError() | OffsetOutOfRangeError():
            return PositionsLost(f"Kafka lost a position: {said}. {PROVISION}")
        case UnknownTopicOrPartitionError():
            return BrokerUnreachable(f"a stream is missing in Kafka: {PROVISION}")
        case AuthenticationFailedError() | UnsupportedSaslMechanismError():
            return BrokerUnreachable(f"Kafka refuses the login: {said[:200]}")
        case TopicAuthorizationFailedError() | GroupAuthorizationFailedError():
            return BrokerUnreachable(f"Kafka does not allow this user to use it: {said[:200]}")
        case TimeoutError():
            return BrokerUnreachable(f"Kafka does not answer within {PATIENCE:.0f} s")
    return BrokerUnreachable(f"Kafka does not answer: {said[:200]}")


async def gone(closing: Coroutine[Any, Any, None]) -> None:
    """Waits for a client's end, but not for ever: a broker that is away lets it hang. In a task of its own, because
    what aiokafka cancels while it stops may come out as a cancellation of who waits."""
    ending = asyncio.create_task(closing)
    if not (await asyncio.wait([ending], timeout=PATIENCE))[0]:
        ending.cancel()
    elif not ending.cancelled() and (error := ending.exception()):
        log.debug("a client did not end well", error=repr(error))


def headers_of(record: Record) -> list[tuple[str, bytes]]:
    return [(name, value.encode("ascii", NOT_OURS)) for name, value in record.headers.items()]


def delivery_of(cluster: Cluster, found: ConsumerRecord, starts: int = 0) -> Delivery:
    headers = {name: (value or b"").decode("ascii", NOT_OURS) for name, value in found.headers}
    key = (found.key or b"").decode("utf-8", NOT_OURS)
    record = Record(_stream(cluster, found.topic), key, headers, found.value or b"")
    return Delivery(record, found.partition, str(found.offset), starts)


@lru_cache(256)
def _stream(cluster: Cluster, topic: str) -> str:
    return cluster.stream(topic)


def place_of(cluster: Cluster, delivery: Delivery) -> TopicPartition:
    return TopicPartition(cluster.name(delivery.record.stream), delivery.partition)


def stored_at(found: ConsumerRecord) -> datetime:
    """By the broker's clock: streams are provisioned so."""
    return datetime.fromtimestamp(found.timestamp / 1000, UTC)
