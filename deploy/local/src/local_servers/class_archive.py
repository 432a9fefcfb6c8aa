"""Kafka's classes as the JVM maps them into memory: with them it starts in 2.0 s, not 3.7 s. Made once, by a run."""

import subprocess
import tempfile
import time
from pathlib import Path

from local_processes.errors import Failed
from local_processes.plain_text import one_line
from local_processes.ports import free_port
from local_servers.kafka import Kafka
from local_servers.kafka_jars import cache, only_one


def jvm_options() -> list[str]:
    """A JVM of another version says that it cannot use the archive, and starts without it.

    Raises Failed as Kafka.command does, and where Kafka does not start.
    """
    with only_one("archive"):
        if not exists():
            _make()
    return [f"-XX:SharedArchiveFile={_archive()}"]


def exists() -> bool:
    return _archive().exists()


def _archive() -> Path:
    return cache() / "kafka.jsa"  # 48 MB


def _make() -> None:
    unfinished = cache() / "unfinished.jsa"
    unfinished.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        _run(Kafka(Path(folder), free_port(), free_port(), jvm=[f"-XX:ArchiveClassesAtExit={unfinished}"]))
    unfinished.rename(_archive())


def _run(kafka: Kafka) -> None:
    command = kafka.command()
    with kafka.log.open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        while not kafka.answers():
            if process.poll() is not None:
                raise Failed(f"Kafka does not start here: {one_line(kafka.log.read_text()[-500:])}")
            time.sleep(0.05)
    finally:
        process.send_signal(kafka.stops_on)
        process.wait()
