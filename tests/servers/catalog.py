"""The simulator of the catalogue, and its controls."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from servers.simulator import Simulator


class CatalogSimulator(Simulator):
    def __init__(self, folder: Path, made: int = 0, file: Path | None = None) -> None:
        """`made`: articles behind the invented ones; `file`: where it keeps what is written."""
        kept = [] if file is None else ["--file", str(file)]
        super().__init__(folder, "catalog", "--made", str(made), *kept)

    def add_fault(self, fault: str, **scope: Any) -> None:
        """Adds a fault. `scope`: `route`, `urn_contains`, `for_seconds`, `times`, …"""
        self.http.post("/simulator/faults", json={"fault": fault} | scope).raise_for_status()

    def tokens_last(self, seconds: float) -> None:
        """The lifetime of new tokens."""
        self.http.put("/simulator/tokens", json={"seconds": seconds}).raise_for_status()

    def end_tokens(self) -> None:
        self.http.delete("/simulator/tokens").raise_for_status()

    @property
    def written(self) -> dict[str, dict[str, Any]]:
        """By URN, the fields written since it started."""
        return dict(self.http.get("/simulator/articles").raise_for_status().json())

    def begin(self, made: int = 0) -> None:
        """Resets the catalogue, with `made` articles behind the invented ones."""
        self.http.put("/simulator/articles", json={"made": made}).raise_for_status()

    def article(self, urn: str) -> dict[str, Any]:
        return dict(self.http.get(_path(urn)).raise_for_status().json())

    def write(self, urn: str, **fields: Any) -> None:
        """Edits or adds an article."""
        self.http.put(_path(urn), json=fields).raise_for_status()

    def remove(self, urn: str) -> None:
        self.http.delete(_path(urn)).raise_for_status()

    def fresh(self) -> None:
        """Resets faults, articles and counts."""
        self.forget_faults()
        self.tokens_last(300)
        self.begin()
        self.forget_calls()


def _path(urn: str) -> str:
    return f"/simulator/articles/{quote(urn)}"
