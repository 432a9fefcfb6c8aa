"""A server in a container, with the methods of `process.Process`; whether a Docker engine is available."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from testcontainers.core.container import DockerContainer

from servers.process import until

STARTS_WITHIN = 60  # seconds; pulling the image comes before


def docker_answers() -> bool:
    """Without Docker's client, which leaves a socket open if nothing answers."""
    host = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    kind = socket.AF_UNIX if host.scheme == "unix" else socket.AF_INET
    with socket.socket(kind) as engine:
        engine.settimeout(1)
        try:
            engine.connect(host.path if kind == socket.AF_UNIX else (host.hostname, host.port or 2375))
        except OSError:
            return False
    return True


class Container:
    """`port`: inside, and outside on this machine; `files`: of this machine, with where they are inside."""

    def __init__(
        self,
        image: str,
        url: str,
        answers: Callable[[], bool],
        port: tuple[int, int],
        environment: Mapping[str, str],
        command: Sequence[str] = (),
        files: Mapping[Path, str] | None = None,
    ) -> None:
        self.url = url
        self._answers = answers
        self._container = DockerContainer(image).with_bind_ports(*port).with_envs(**environment)
        if command:
            self._container.with_command(list(command))
        for here, inside in (files or {}).items():
            self._container.with_volume_mapping(str(here), inside, "ro")

    def start(self) -> None:
        """Returns when it answers: a new one, or the killed or stopped one with its data."""
        if self._container.status == "not_started":
            self._container.start()
        else:
            self._container.get_wrapped_container().start()
        until(self._answers, STARTS_WITHIN, f"{self._container.image} does not answer")

    @property
    def is_alive(self) -> bool:
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return wrapped.status in {"running", "paused"}

    def kill(self) -> None:
        """SIGKILL."""
        self._container.get_wrapped_container().kill()
        self._container.wait()

    def stop(self) -> None:
        self._container.get_wrapped_container().stop(timeout=30)

    def freeze(self) -> None:
        self._container.get_wrapped_container().pause()

    def thaw(self) -> None:
        self._container.get_wrapped_container().unpause()

    def end(self) -> None:
        """Removes it in any state, with its data."""
        self._container.stop()
