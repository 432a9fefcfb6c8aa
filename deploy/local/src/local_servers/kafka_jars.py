"""Kafka's jars, downloaded once per machine with Maven into a cache folder."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from local_processes.errors import Failed
from local_processes.plain_text import one_line

POM = Path(__file__).with_name("pom.xml")
MAX_OUTPUT = 300  # characters of Maven's output in an error


def java() -> str:
    """Path of the Java executable. Raises Failed if there is none."""
    return _program("java", "Kafka runs on Java 17 or newer: install a Java runtime")


def class_path() -> str:
    """The class path of all jars. Raises Failed without Maven, or if Maven fails."""
    folder = cache() / "lib"
    with machine_lock("fetch"):
        if not folder.exists():
            _fetch(folder)
    return f"{folder}/*"


def cache() -> Path:
    """The cache folder of this Kafka version, shared by all checkouts."""
    version = ElementTree.parse(POM).findtext(".//{*}kafka.version")  # noqa: S314 - our own file
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "topicflow" / f"kafka-{version}"


@contextmanager
def machine_lock(name: str) -> Iterator[None]:
    """Held by one process of this machine at a time; the others wait."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path) -> None:
    maven = _program("mvn", "Kafka comes from Maven: install it (mvn)")
    unfinished = folder.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    shutil.copy(POM, unfinished.parent)  # Maven may write beside it
    arguments = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={unfinished}"]
    command = [maven, "-q", "-B", "-f", str(unfinished.parent / POM.name), *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise Failed(f"Maven cannot download Kafka: {one_line(result.stdout + result.stderr)[:MAX_OUTPUT]}")
    unfinished.rename(folder)


def _program(name: str, advice: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Failed(advice)
    return path
