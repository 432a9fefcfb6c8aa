"""Broker settings of every service: which broker, how to reach it, and how new streams are created."""

import os
import socket
import ssl
from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from shared.settings import Port, Settings, env

REDIS, KAFKA = {"redis", "rediss", "unix"}, {"kafka"}


def _broker_url(value: SecretStr) -> SecretStr:
    url = urlsplit(value.get_secret_value())
    if url.scheme not in REDIS | KAFKA:
        expected = "expected redis://, rediss:// or kafka://host:port,host:port"
        raise ValueError(f"unknown scheme {url.scheme or '(none)'!r}, {expected}")
    if url.scheme in KAFKA:
        if "@" in url.netloc:
            raise ValueError("put the login into TOPICFLOW_KAFKA_USERNAME and TOPICFLOW_KAFKA_PASSWORD")
        if url.path.strip("/") or not all(_is_address(server) for server in url.netloc.split(",")):
            raise ValueError("expected kafka://host:port,host:port")
    return value


def _is_address(server: str) -> bool:
    host, _, port = server.rpartition(":")
    return bool(host) and port.isdigit() and 0 < int(port) < 65536


class BrokerSettings(Settings):
    broker: Annotated[SecretStr | None, AfterValidator(lambda url: url and _broker_url(url))] = env(
        "TOPICFLOW_BROKER_URL", default=None
    )
    redis_host: str = env("REDIS_HOST", default="127.0.0.1")
    redis_port: Port = env("REDIS_PORT", default=6379)
    session_timeout: float | None = env("TOPICFLOW_SESSION_TIMEOUT_SECONDS", default=None, ge=0.3, le=3600)
    allow_volatile_broker: bool = env("TOPICFLOW_ALLOW_VOLATILE_BROKER", default=False)
    stream_prefix: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$")] = env(
        "TOPICFLOW_STREAM_PREFIX", default=""
    )
    kafka_tls: bool = env("TOPICFLOW_KAFKA_TLS", default=False)
    kafka_ca: str | None = env("TOPICFLOW_KAFKA_CA", default=None)
    kafka_sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = env(
        "TOPICFLOW_KAFKA_SASL", default="SCRAM-SHA-512"
    )
    kafka_username: str | None = env("TOPICFLOW_KAFKA_USERNAME", default=None)
    kafka_password: SecretStr | None = env("TOPICFLOW_KAFKA_PASSWORD", default=None)
    partitions: int = env("TOPICFLOW_PARTITIONS", default=12, ge=1, le=10_000)
    replication: int | None = env("TOPICFLOW_REPLICATION", default=None, ge=1, le=100)
    min_insync: int | None = env("TOPICFLOW_MIN_INSYNC", default=None, ge=1, le=100)
    retain: float | None = env("TOPICFLOW_RETAIN_DAYS", default=None, gt=0, le=36_500)
    instance_name: Annotated[str, Field(max_length=100, pattern=r"^[\x21-\x7e]*$")] = env(
        "TOPICFLOW_INSTANCE", default=""
    )
    log_level: str = env("TOPICFLOW_LOG_LEVEL", default="INFO", pattern="(?i)^(debug|info|warning|error)$")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.stream_prefix and not self.is_kafka:
            raise ValueError(
                "TOPICFLOW_STREAM_PREFIX: only works on Kafka; on Redis use a database of its own: redis://host/1"
            )
        if (self.kafka_username is None) != (self.kafka_password is None):
            raise ValueError("TOPICFLOW_KAFKA_USERNAME: requires TOPICFLOW_KAFKA_PASSWORD, and vice versa")
        if self.kafka_ca and not self.kafka_tls:
            raise ValueError("TOPICFLOW_KAFKA_CA: has no effect without TOPICFLOW_KAFKA_TLS=true")
        if self.kafka_username and self.kafka_sasl == "PLAIN" and not self.kafka_tls and not self._is_loopback:
            raise ValueError("TOPICFLOW_KAFKA_SASL: PLAIN sends the password unencrypted: set TOPICFLOW_KAFKA_TLS=true")
        if self.min_insync and self.replication and self.min_insync > self.replication:
            raise ValueError("TOPICFLOW_MIN_INSYNC: more than TOPICFLOW_REPLICATION can never be in sync")
        if self.kafka_ca:
            self.tls()
        return self

    @property
    def broker_url(self) -> str:
        if self.broker:
            return self.broker.get_secret_value()
        if self.redis_host.startswith("tcp://"):
            return f"redis://{self.redis_host.removeprefix('tcp://')}/0"
        return f"redis://{self.redis_host}:{self.redis_port}/0"

    @property
    def is_kafka(self) -> bool:
        return urlsplit(self.broker_url).scheme in KAFKA

    @property
    def kafka_servers(self) -> str:
        return urlsplit(self.broker_url).netloc

    @property
    def _is_loopback(self) -> bool:
        hosts = [server.rpartition(":")[0].strip("[]") for server in self.kafka_servers.split(",")]
        return all(host == "localhost" or _is_loopback(host) for host in hosts)

    def tls(self) -> ssl.SSLContext | None:
        """Raises ValueError if the CA is not valid."""
        if not self.kafka_tls:
            return None
        try:
            return ssl.create_default_context(cadata=self.kafka_ca)
        except ssl.SSLError as error:
            raise ValueError("TOPICFLOW_KAFKA_CA: not a certificate in PEM") from error

    @property
    def session_timeout_seconds(self) -> float:
        """Kafka refuses less than 6 unless it is configured to allow it."""
        return self.session_timeout or (10.0 if self.is_kafka else 3.0)

    def instance(self, service: str) -> str:
        """The configured stable name, or a new one each start."""
        return self.instance_name or f"{service}-{socket.gethostname()}-{os.getpid()}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
