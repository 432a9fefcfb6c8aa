"""A local Kafka can ask for passwords, in the clear and encrypted, as clusters elsewhere do."""

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


async def brokers(port: int, password: str, **told: Any) -> int:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=f"{LOOPBACK}:{port}", sasl_plain_username="worker", sasl_plain_password=password, **told
    )
    try:
        await admin.start()
        return len((await admin.describe_cluster())["brokers"])
    finally:
        await admin.close()


async def test_plain_passwords(own_kafka: Callable[..., OwnServer]) -> None:
    listener = Listener(free_port(), "SASL_PLAINTEXT", plain(PASSWORDS))
    own_kafka(listeners={"SECURED": listener})
    told = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}
    assert await brokers(listener.port, "right", **told) == 1
    with pytest.raises(KafkaError):
        await brokers(listener.port, "wrong", **told)


async def test_scram_passwords_over_tls(own_kafka: Callable[..., OwnServer], tmp_path: Path) -> None:
    ours = certificate(tmp_path)
    listener = Listener(free_port(), "SASL_SSL", scram() | keystore(ours))
    own_kafka(listeners={"SECURED": listener}, scram=PASSWORDS)
    told = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512"}
    told_whom_to_trust = told | {"ssl_context": ssl.create_default_context(cafile=ours)}
    assert await brokers(listener.port, "right", **told_whom_to_trust) == 1
    with pytest.raises(KafkaError):
        await brokers(listener.port, "wrong", **told_whom_to_trust)
    with pytest.raises(KafkaError):
        await brokers(listener.port, "right", **told, ssl_context=ssl.create_default_context())
