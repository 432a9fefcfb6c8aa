"""The stand-in for Gemini, and what a test tells it."""

from pathlib import Path
from typing import Any

from servers.stand_in import StandIn


class GeminiStandIn(StandIn):
    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        super().__init__(folder, "gemini", "--seconds", str(seconds))

    def tell(self, mood: str, **scope: Any) -> None:
        """How it behaves from now on: `title_contains`, `for_seconds`, `times`, …"""
        self.play({"mood": mood} | scope)

    def play(self, *moods: dict[str, Any]) -> None:
        """A script: moods with `after_seconds` and `for_seconds`."""
        self.http.post("/stand-in/moods", json=moods).raise_for_status()

    def take(self, seconds: float) -> None:
        self.http.put("/stand-in/seconds", json={"seconds": seconds}).raise_for_status()

    def answer_as(self, model: str | None) -> None:
        """Every answer says that it is of this model; None: of the one that was asked."""
        self.http.put("/stand-in/model-version", json={"model_version": model}).raise_for_status()

    def limit(self, requests: int, seconds: float) -> None:
        """More in any so many seconds are answered with 429."""
        self.http.put("/stand-in/limit", json={"requests": requests, "seconds": seconds}).raise_for_status()

    def lift_limit(self) -> None:
        self.http.delete("/stand-in/limit").raise_for_status()

    @property
    def moods(self) -> list[dict[str, Any]]:
        """In force or to come."""
        return list(self.http.get("/stand-in/moods").raise_for_status().json())
