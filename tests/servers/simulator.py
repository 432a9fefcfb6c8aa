"""A simulator as a process, controlled over HTTP: what those of Gemini and of the catalogue share."""

import sys
from pathlib import Path
from typing import Any

import httpx

from servers.ports import LOOPBACK, free_port
from servers.process import Process, until


class Simulator(Process):
    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        command = [sys.executable, "-m", f"simulators.{name}", "--port", str(self.port), *arguments]
        super().__init__(command, folder / f"{name}-simulator.log")
        self.http = httpx.Client(base_url=self.url, trust_env=False)

    def start(self) -> None:
        super().start()
        until(self._answers, 10, "the simulator does not answer")

    def _answers(self) -> bool:
        try:
            return self.http.get("/live").is_success
        except httpx.TransportError:
            return False

    def forget_faults(self) -> None:
        self.http.delete("/simulator/faults").raise_for_status()

    def forget_calls(self) -> None:
        self.http.delete("/simulator/calls").raise_for_status()

    @property
    def calls(self) -> dict[str, Any]:
        return dict(self.http.get("/simulator/calls").raise_for_status().json())

    def end(self) -> None:
        super().end()
        self.http.close()
