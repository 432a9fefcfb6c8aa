"""The simulator of Gemini, and its controls."""

from pathlib import Path
from typing import Any

from servers.simulator import Simulator


class GeminiSimulator(Simulator):
    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        super().__init__(folder, "gemini", "--seconds", str(seconds))

    def add_fault(self, fault: str, **scope: Any) -> None:
        """Adds a fault. `scope`: `title_contains`, `for_seconds`, `times`, …"""
        self.play({"fault": fault} | scope)

    def play(self, *faults: dict[str, Any]) -> None:
        """A script: faults with `after_seconds` and `for_seconds`."""
        self.http.post("/simulator/faults", json=faults).raise_for_status()

    def take(self, seconds: float) -> None:
        self.http.put("/simulator/seconds", json={"seconds": seconds}).raise_for_status()

    def answer_as(self, model: str | None) -> None:
        """The model version of every answer; None: the requested model."""
        self.http.put("/simulator/model-version", json={"model_version": model}).raise_for_status()

    def limit(self, requests: int, seconds: float) -> None:
        """More than `requests` in `seconds` are answered with 429."""
        self.http.put("/simulator/limit", json={"requests": requests, "seconds": seconds}).raise_for_status()

    def lift_limit(self) -> None:
        self.http.delete("/simulator/limit").raise_for_status()

    @property
    def faults(self) -> list[dict[str, Any]]:
        """Active or scheduled."""
        return list(self.http.get("/simulator/faults").raise_for_status().json())
