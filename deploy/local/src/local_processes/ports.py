"""Ports of this machine: checks a configured one, and picks free ones for internal use."""

import errno
import os
import random
import re
import socket

from local_processes.errors import InUse, WrongUse

LOOPBACK = "127.0.0.1"
_INTERNAL_PORTS = range(20_000, 32_000)  # not used for outgoing connections, so they stay free during a restart


def default_port(text: str | None) -> int:
    """The value of TOPICFLOW_PORT. Ignores `tcp://host:port`, which Kubernetes sets for a service of that name."""
    if not text or text.startswith("tcp://"):
        return 8000
    if text.isascii() and text.isdigit() and 0 < int(text) < 65_536:
        return int(text)
    raise WrongUse(f"TOPICFLOW_PORT must be a port from 1 to 65535, not {text!r}")


def require_free(port: int) -> None:
    """Raises InUse if the port is in use, WrongUse if it cannot be used."""
    try:
        _bind(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InUse(f"port {port} is in use: choose another one with --port") from error
        raise WrongUse(f"cannot use port {port}: {os.strerror(error.errno or 0)}") from error


def free_port() -> int:
    for port in random.sample(_INTERNAL_PORTS, 200):
        try:
            _bind(port)
        except OSError:
            continue
        return port
    raise InUse(f"no free port found from {_INTERNAL_PORTS.start} to {_INTERNAL_PORTS.stop}")


def instance_prefix(port: int) -> str:
    """Prefix of instance names on a shared broker, where two members with the same name would take each other's work.
    Contains only characters that Kafka allows."""
    return f"{re.sub('[^A-Za-z0-9._-]', '-', socket.gethostname())[:60]}-{port}-"


def _bind(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
