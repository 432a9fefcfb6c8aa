"""Kafka and PostgreSQL as local processes of a test's: what they share."""

from local_servers.server import ServerProgram
from servers.process import Process, until

STARTS_WITHIN = 60  # seconds


class LocalServer(Process):
    """Keeps its ports and data across restarts."""

    def __init__(self, server: ServerProgram) -> None:
        """Raises local_processes.errors.Failed where it cannot run here."""
        super().__init__(server.command(), server.log)
        self.server = server

    @property
    def url(self) -> str:
        return self.server.url

    def start(self) -> None:
        """Returns when it answers."""
        super().start()
        until(lambda: self.server.answers() or not self.is_alive, STARTS_WITHIN, f"{self.server.name} does not answer")
        assert self.is_alive, f"{self.server.name} ended: {self.output[-2000:]}"

    def stop(self, within: float = 30) -> int:
        """A clean stop, even with open connections; returns the exit code."""
        assert self.running
        self.signal(self.server.stop_signal)
        return self.running.wait(within)
