"""Free ports for tests. Where several processes run them each has its own: a server that is down keeps its port."""

import os

from local_processes import ports
from local_processes.ports import LOOPBACK

__all__ = ["LOOPBACK", "free_port"]
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_THIS_ONE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def free_port() -> int:
    while (port := ports.free_port()) % _PROCESSES != _THIS_ONE:
        pass
    return port
