"""The stand-in for Gemini, and what a test tells it."""

import sys
from pathlib import Path
from typing import Any

import httpx

from servers.ports import LOOPBACK, free_port
from servers.process import Process, until


class GeminiStandIn(Process):
    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        command = [sys.executable, "-m", "stand_ins.gemini", "--port", str(self.port), "--seconds", str(seconds)]
        super().__init__(command, folder / "gemini-stand-in.log")
        self.http = httpx.Client(base_url=self.url, trust_env=False)

    def start(self) -> None:
        super().start()
        until(self._answers, 10, "the stand-in does not answer")

    def _answers(self) -> bool:
        try:
            return self.http.get("/live").is_success
        except httpx.TransportError:
            return False

    def tell(self, mood: str, **scope: Any) -> None:
        """How it behaves from now on: `title_contains`, `for_seconds`, `times`, …"""
        self.play({"mood": mood} | scope)

    def play(self, *moods: dict[str, Any]) -> None:
        """A script: moods with `after_seconds` and `for_seconds`."""
        self.http.post("/stand-in/moods", json=moods).raise_for_status()

    def forget_moods(self) -> None:
        self.http.delete("/stand-in/moods").raise_for_status()

    def take(self, seconds: float) -> None:
        self.http.put("/stand-in/seconds", json={"seconds": seconds}).raise_for_status()

    def limit(self, requests: int, seconds: float) -> None:
        """More in any so many seconds are answered with 429."""
        self.http.put("/stand-in/limit", json={"requests": requests, "seconds": seconds}).raise_for_status()

    def lift_limit(self) -> None:
        self.http.delete("/stand-in/limit").raise_for_status()

    @property
    def moods(self) -> list[dict[str, Any]]:
        """In force or to come."""
        return list(self.http.get("/stand-in/moods").raise_for_status().json())

    def forget_calls(self) -> None:
        self.http.delete("/stand-in/calls").raise_for_status()

    @property
    def calls(self) -> dict[str, Any]:
        return dict(self.http.get("/stand-in/calls").raise_for_status().json())

    def end(self) -> None:
        super().end()
        self.http.close()
