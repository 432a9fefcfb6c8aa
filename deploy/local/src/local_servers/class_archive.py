"""A class data archive for the JVM: with it Kafka starts in 2.0 s instead of 3.7 s. Created once, by a trial run."""

import subprocess
import tempfile
import time
from pathlib import Path

from local_processes.errors import Failed
from local_processes.plain_text import one_line
from local_processes.ports import free_port
from local_servers.kafka import Kafka
from local_servers.kafka_jars import cache, machine_lock


def jvm_options() -> list[str]:
    """A JVM of another version logs that it cannot use the archive, and starts without it.

    Raises Failed like `Kafka.command`, and if Kafka does not start.
    """
    with machine_lock("archive"):
        if not exists():
            _create()
    return [f"-XX:SharedArchiveFile={_archive()}"]


def exists() -> bool:
    return _archive().exists()


def _archive() -> Path:
    return cache() / "kafka.jsa"  # 48 MB


def _create() -> None:
    temporary = cache() / "unfinished.jsa"
    temporary.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        _run(Kafka(Path(folder), free_port(), free_port(), jvm=[f"-XX:ArchiveClassesAtExit={temporary}"]))
    temporary.rename(_archive())


def _run(kafka: Kafka) -> None:
    command = kafka.command()
    with kafka.log.open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        while not kafka.answers():
            if process.poll() is not None:
                raise Failed(f"Kafka does not start: {one_line(kafka.log.read_text()[-500:])}")
            time.sleep(0.05)
    finally:
        process.send_signal(kafka.stop_signal)
        process.wait()
