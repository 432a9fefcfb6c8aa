"""What was paid, and how much of it in vain. Pure; `apply_events.py` keeps rows and sums of it.

Of the answers that were of use to one attempt the earliest counts, as its end does: whoever worked on it once more,
after a crash or because a partition moved, paid in vain. The order of events changes nothing of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.events import ArticleAnnotated, Outcome, SubmissionCompleted, SubmissionEvent
from shared.llm.quota_day import day_of

REPEATED, NOT_USED = "repeated", "not_used"
Total = tuple[str, str, str, str, bool, str, int]  # day, kind, model, priced_as, simulated, wasted, partition


@dataclass(slots=True)
class LedgerEntry:
    """One row of `usage`: a submission's share of a call. `cost` in US dollars, None where no price is known."""

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
    """Rows that are new, rows whose `wasted` changed, and by how much each total moves, in its columns' order."""

    added: list[LedgerEntry] = field(default_factory=list)
    changed: list[LedgerEntry] = field(default_factory=list)
    totals: dict[Total, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * 7))


def paid_in(event: SubmissionEvent, time: datetime) -> list[LedgerEntry]:
    if not isinstance(event, Outcome | ArticleAnnotated) or not event.usage:
        return []
    attributes: dict[str, Any] = {"id": event.id, "kind": event.kind, "attempt": event.attempt, "run": event.run}
    otherwise = "" if isinstance(event, SubmissionCompleted | ArticleAnnotated) else NOT_USED
    return [
        LedgerEntry(**attributes, time=time, **u.model_dump() | {"wasted": u.wasted or otherwise}) for u in event.usage
    ]


def book(
    known: Iterable[LedgerEntry], reported: Iterable[LedgerEntry], partition_of: Mapping[str, int]
) -> LedgerChanges:
    """`known`: all entries of the submissions that `reported` is about."""
    rows = {(paid.id, paid.call_id): paid for paid in known}
    before = {key: paid.wasted for key, paid in rows.items()}
    for paid in reported:
        rows.setdefault((paid.id, paid.call_id), paid)
    _find_what_is_of_use(rows.values())
    booked = LedgerChanges()
    for key, paid in rows.items():
        was = before.get(key)
        if was == paid.wasted:
            continue
        (booked.added if was is None else booked.changed).append(paid)
        if was is not None:
            _move(booked, paid, was, partition_of[paid.id], -1)
        _move(booked, paid, paid.wasted, partition_of[paid.id], +1)
    return booked


def _find_what_is_of_use(rows: Iterable[LedgerEntry]) -> None:
    """Of each attempt the run that had a usable answer first."""
    usable = [paid for paid in rows if paid.wasted in {"", REPEATED}]
    first: dict[tuple[str, int], tuple[datetime, str]] = {}
    for paid in usable:
        answer = (paid.time, paid.run)
        first[paid.id, paid.attempt] = min(first.get((paid.id, paid.attempt), answer), answer)
    for paid in usable:
        paid.wasted = "" if paid.run == first[paid.id, paid.attempt][1] else REPEATED


def _move(booked: LedgerChanges, paid: LedgerEntry, wasted: str, partition: int, sign: int) -> None:
    total = booked.totals[day_of(paid.time), paid.kind, paid.model, paid.priced_as, paid.simulated, wasted, partition]
    for n, amount in enumerate(_amounts(paid)):
        total[n] += sign * amount


def _amounts(paid: LedgerEntry) -> tuple[int, ...]:
    share = round(60 / paid.shared_by)
    tokens = (paid.tokens_in, paid.tokens_out, paid.tokens_cached, paid.tokens_thought)
    return (share, share if paid.cost is None else 0, *tokens, round((paid.cost or 0) * 1e9))
