"""Kafka's jars, fetched by Maven into a cache folder, once on a machine."""

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
MOST_SAID = 300  # characters; Maven says much


def java() -> str:
    """Its path. Raises Failed where there is none."""
    return _program("java", "Kafka runs on Java 17 or newer: install a Java runtime")


def class_path() -> str:
    """All jars. Raises Failed without Maven, or when Maven fails."""
    folder = cache() / "lib"
    with only_one("fetch"):
        if not folder.exists():
            _fetch(folder)
    return f"{folder}/*"


def cache() -> Path:
    """Where this version's files are kept, for all checkouts."""
    version = ElementTree.parse(POM).findtext(".//{*}kafka.version")  # noqa: S314 - our own file
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "topicflow" / f"kafka-{version}"


@contextmanager
def only_one(does: str) -> Iterator[None]:
    """Of all processes of this machine; the others wait."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{does}.lock").open("w") as lock:
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
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"Maven cannot get Kafka: {one_line(done.stdout + done.stderr)[:MOST_SAID]}")
    unfinished.rename(folder)


def _program(name: str, otherwise: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Failed(otherwise)
    return path
