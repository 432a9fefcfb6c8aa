"""A local Kafka with passwords, unencrypted and over TLS, as clusters have them."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from servers import LOOPBACK, free_port
from servers.found import OwnServer
from servers.secured import certificate, keystore, plain, scram

from local_servers.kafka import Listener

PASSWORDS = {"worker": "right"}


async def brokers(port: int, password: str, **options: Any) -> int:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=f"{LOOPBACK}:{port}", sasl_plain_username="worker", sasl_plain_password=password, **options
    )
    try:
        await admin.start()
        return len((await admin.describe_cluster())["brokers"])
    finally:
        await admin.close()


async def test_plain_passwords(own_kafka: Callable[..., OwnServer]) -> None:
    listener = Listener(free_port(), "SASL_PLAINTEXT", plain(PASSWORDS))
    own_kafka(listeners={"SECURED": listener})
    options = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}
    assert await brokers(listener.port, "right", **options) == 1
    with pytest.raises(KafkaError):
        await brokers(listener.port, "wrong", **options)


async def test_scram_passwords_over_tls(own_kafka: Callable[..., OwnServer], tmp_path: Path) -> None:
    certificate_file = certificate(tmp_path)
    listener = Listener(free_port(), "SASL_SSL", scram() | keystore(certificate_file))
    own_kafka(listeners={"SECURED": listener}, scram=PASSWORDS)
    options = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512"}
    trusting = options | {"ssl_context": ssl.create_default_context(cafile=certificate_file)}
    assert await brokers(listener.port, "right", **trusting) == 1
    with pytest.raises(KafkaError):
        await brokers(listener.port, "wrong", **trusting)
    with pytest.raises(KafkaError):
        await brokers(listener.port, "right", **options, ssl_context=ssl.create_default_context())
