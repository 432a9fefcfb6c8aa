"""Totals of an import, added up over many requests."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class OldRecords:
    """`collection`: list in a response; `name_field`: identifies an entry; `verdicts`: possible outcomes."""

    collection: str
    name_field: str
    verdicts: tuple[str, ...]


TOPICS = OldRecords("topics", "title", ("imported", "queued", "skipped"))
ARTICLES = OldRecords("articles", "urn", ("imported", "skipped"))


@dataclass(slots=True)
class MigrationResult:
    """`reasons`: skipped records by reason; `left_out`: name and reason of each record that cannot be sent."""

    is_dry_run: bool
    kind: OldRecords = TOPICS
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def skip(self, reason: str) -> None:
        self.counts["skipped"] += 1
        self.reasons[reason] += 1

    def add(self, answer: dict[str, Any]) -> None:
        self.counts.update({verdict: answer.get(verdict, 0) for verdict in self.kind.verdicts})
        reasons = (entry.get("reason") for entry in answer.get(self.kind.collection, ()))
        self.reasons.update(reason for reason in reasons if reason)

    @property
    def line(self) -> str:
        """`1,204 imported, 37 queued, 12 skipped`."""
        line = ", ".join(f"{self.counts[verdict]:,} {verdict}" for verdict in self.kind.verdicts)
        return line + (f", {len(self.left_out):,} left out" if self.left_out else "")

    @property
    def answer(self) -> dict[str, Any]:
        """The responses added up, with counts by reason instead of single entries."""
        counts = {verdict: self.counts[verdict] for verdict in self.kind.verdicts}
        left_out = [{self.kind.name_field: name, "reason": reason} for name, reason in self.left_out]
        return {"dry_run": self.is_dry_run, **counts, "reasons": dict(self.reasons), "left_out": left_out}
