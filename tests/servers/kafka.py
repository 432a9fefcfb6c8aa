"""Kafka, as a local process or in a container, and the streams of one of those who share it."""

import asyncio
import gc
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from local_servers import class_archive
from local_servers.kafka import Kafka, Listener
from servers.container import Container
from servers.local_server import LocalServer
from servers.ports import LOOPBACK, free_port


class KafkaServer(LocalServer):
    """Starts in 2 s, and in 4 s after kill -9."""

    def __init__(
        self, folder: Path, listeners: Mapping[str, Listener] | None = None, scram: Mapping[str, str] | None = None
    ) -> None:
        """`listeners`, `scram`: as local_servers.kafka.Kafka has them. Raises Failed without Java or Maven."""
        jvm = class_archive.jvm_options()
        super().__init__(Kafka(folder, free_port(), free_port(), listeners or {}, scram=scram or {}, jvm=jvm))


def kafka_container(folder: Path) -> Container:
    """Not started. Its port is the same inside and outside, as the broker advertises it to its clients."""
    kafka = Kafka(folder, free_port(), free_port())
    inside = {
        "listeners": f"CLIENTS://0.0.0.0:{kafka.port},CONTROLLER://{LOOPBACK}:{kafka.controller_port}",
        "log.dirs": "/tmp/topicflow",
    }
    settings = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in (kafka.settings | inside).items()}
    return Container("apache/kafka:4.3.1", kafka.url, kafka.answers, (kafka.port, kafka.port), settings)


async def remove_streams(url: str, prefix: str) -> None:
    """Deletes all streams with this prefix, if the broker answers, and collects the connections aiokafka left open."""
    admin = AIOKafkaAdminClient(bootstrap_servers=url.removeprefix("kafka://"))
    with suppress(Exception):
        async with asyncio.timeout(10):
            await admin.start()
            await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
    with suppress(Exception):
        async with asyncio.timeout(5):
            await admin.close()
    with warnings.catch_warnings():  # a connection, where it is cancelled between opening it and asking for versions
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
        await asyncio.sleep(0)
