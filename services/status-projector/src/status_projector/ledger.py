"""The ledger: what was paid, and how much of it was wasted. Pure; `apply_events.py` stores its rows and totals.

Of the usable answers to one attempt the earliest counts, as the earliest end does. A run that repeated the work, after
a crash or because a partition moved, was wasted. The order of events does not change the result.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.events import ArticleAnnotated, Outcome, SubmissionCompleted, SubmissionEvent
from shared.llm.quota_day import day_of

REPEATED, NOT_USED = "repeated", "not_used"
TotalKey = tuple[str, str, str, str, bool, str, int]  # day, kind, model, priced_as, simulated, wasted, partition


@dataclass(slots=True)
class LedgerEntry:
    """One row of `usage`: a submission's share of a call. `cost` in US dollars, None if the price is unknown."""

    id: str
    call_id: str
    kind: str
    attempt: int
    run: str
    time: datetime
    model: str
    prompt_version: str
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    tokens_thought: int
    cost: float | None
    priced_as: str
    seconds: float
    shared_by: int
    finish_reason: str
    simulated: bool
    wasted: str


@dataclass(slots=True)
class LedgerChanges:
    """New rows, rows whose `wasted` changed, and the change of each total, in the order of its columns."""

    added: list[LedgerEntry] = field(default_factory=list)
    changed: list[LedgerEntry] = field(default_factory=list)
    totals: dict[TotalKey, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * 7))


def ledger_entries(event: SubmissionEvent, time: datetime) -> list[LedgerEntry]:
    """The entries that an event reports, if any."""
    if not isinstance(event, Outcome | ArticleAnnotated) or not event.usage:
        return []
    attributes: dict[str, Any] = {"id": event.id, "kind": event.kind, "attempt": event.attempt, "run": event.run}
    default = "" if isinstance(event, SubmissionCompleted | ArticleAnnotated) else NOT_USED
    return [
        LedgerEntry(**attributes, time=time, **usage.model_dump() | {"wasted": usage.wasted or default})
        for usage in event.usage
    ]


def book(
    known: Iterable[LedgerEntry], reported: Iterable[LedgerEntry], partition_of: Mapping[str, int]
) -> LedgerChanges:
    """`known`: all stored entries of the submissions in `reported`."""
    entries = {(entry.id, entry.call_id): entry for entry in known}
    before = {key: entry.wasted for key, entry in entries.items()}
    for entry in reported:
        entries.setdefault((entry.id, entry.call_id), entry)
    _mark_repeated(entries.values())
    changes = LedgerChanges()
    for key, entry in entries.items():
        previous = before.get(key)
        if previous == entry.wasted:
            continue
        (changes.added if previous is None else changes.changed).append(entry)
        if previous is not None:
            _add_to_total(changes, entry, previous, partition_of[entry.id], -1)
        _add_to_total(changes, entry, entry.wasted, partition_of[entry.id], +1)
    return changes


def _mark_repeated(entries: Iterable[LedgerEntry]) -> None:
    """In each attempt, only the run with the earliest usable answer is not wasted."""
    usable = [entry for entry in entries if entry.wasted in {"", REPEATED}]
    first: dict[tuple[str, int], tuple[datetime, str]] = {}
    for entry in usable:
        answer = (entry.time, entry.run)
        first[entry.id, entry.attempt] = min(first.get((entry.id, entry.attempt), answer), answer)
    for entry in usable:
        entry.wasted = "" if entry.run == first[entry.id, entry.attempt][1] else REPEATED


def _add_to_total(changes: LedgerChanges, entry: LedgerEntry, wasted: str, partition: int, sign: int) -> None:
    key = (day_of(entry.time), entry.kind, entry.model, entry.priced_as, entry.simulated, wasted, partition)
    total = changes.totals[key]
    for n, amount in enumerate(_amounts(entry)):
        total[n] += sign * amount


def _amounts(entry: LedgerEntry) -> tuple[int, ...]:
    share = round(60 / entry.shared_by)
    tokens = (entry.tokens_in, entry.tokens_out, entry.tokens_cached, entry.tokens_thought)
    return (share, share if entry.cost is None else 0, *tokens, round((entry.cost or 0) * 1e9))
