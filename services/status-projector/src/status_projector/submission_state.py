"""The state rule: a submission's (attempt, rank) only grows. Pure; `apply_events.py` applies it to the tables.

Duplicate, late and reordered events result in the same row. One exception: before the end of an attempt, the later of
Started and Parked in stream order decides what is shown. Of two ends of one attempt, the earlier counts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.events import (
    ArticleAnnotated,
    ArticleSubmitted,
    CatalogScanRequested,
    ForgetArticle,
    Outcome,
    Removed,
    SubmissionCompleted,
    SubmissionEvent,
    SubmissionFailed,
    SubmissionParked,
    SubmissionStarted,
    Submitted,
    TopicSubmitted,
    WorkRequested,
)
from shared.ids import normal, topic_id
from shared.status import COMPLETED, FAILED, PENDING, PROCESSING, REMOVED


@dataclass(slots=True)
class State:
    """One row of `submissions`."""

    id: str
    kind: str
    partition: int
    name: str | None = None  # title, URN, or the name of a scan
    name_normal: str = ""  # for sorting and searching
    legacy_id: int | None = None
    attempt: int = 0
    rank: int = PENDING
    status: str = "unknown"
    removed_attempt: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None
    submitted_at: datetime | None = None
    submitted_by: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    run: str | None = None
    worker: str | None = None
    tries: int = 0
    waiting_reason: str | None = None
    waiting_since: datetime | None = None
    waiting_until: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None
    dead_lettered: bool = False
    content_attempt: int = 0
    content_at: datetime | None = None
    content_run: str | None = None
    content_id: str | None = None
    simulated: bool | None = None
    difficulty: int = 0
    input_hash: str | None = None  # of an article's text, in this attempt
    changed_in: int = 0
    changed: int = 0


def counted(status: str, started_at: datetime | None, ended_at: datetime | None) -> tuple[str | None, int | None]:
    """Returns the status to count it under, and the milliseconds from its first start to its completion.

    The status is None if it is not counted. The milliseconds are None if a time is unknown, as of imported results.
    """
    if status == "completed" and started_at and ended_at:
        return status, max(0, (ended_at - started_at) // timedelta(milliseconds=1))
    return None if status in {"unknown", "removed"} else status, None


@dataclass(frozen=True, slots=True)
class NewContent:
    """The new content of a submission; None: removed."""

    content: dict[str, Any] | None


_WITH_SUBMITTED_AT = (WorkRequested, Outcome)  # tuples: a union would be rebuilt for each event
_WITH_LEGACY_ID = (TopicSubmitted, Outcome)
_WITH_URN = (ArticleSubmitted, ArticleAnnotated)
_ENDS = (SubmissionFailed, SubmissionCompleted)
_RANKS: dict[type[SubmissionEvent], int] = {
    ForgetArticle: REMOVED,  # never published without a removal; alone, its run would leave a row that nobody ends
    SubmissionStarted: PROCESSING,
    SubmissionParked: PROCESSING,
    SubmissionFailed: FAILED,
    SubmissionCompleted: COMPLETED,
}


def rank_of(event: SubmissionEvent) -> int:
    if isinstance(event, Removed):
        return REMOVED
    return _RANKS.get(type(event), PENDING)


def advance(state: State, event: SubmissionEvent, time: datetime) -> NewContent | None:
    """Applies one event to a row, in place; returns the content if it changes."""
    state.updated_at = max(time, state.updated_at or time)
    if isinstance(event, _WITH_SUBMITTED_AT):
        state.created_at = min(event.submitted_at, state.created_at or event.submitted_at)
    if isinstance(event, _WITH_LEGACY_ID) and event.legacy_id is not None:
        known = event.legacy_id if state.legacy_id is None else state.legacy_id
        state.legacy_id = min(event.legacy_id, known)
    rank = rank_of(event)
    if rank == REMOVED:
        state.removed_attempt = max(event.attempt, state.removed_attempt)
    if event.attempt > state.attempt:
        _start_attempt(state, event)
    if event.attempt == state.attempt:
        _apply_within_attempt(state, event, rank, time)
    if state.content_attempt and state.content_attempt <= state.removed_attempt:
        _clear_content(state)
        return NewContent(None)
    if isinstance(event, CatalogScanRequested) and event.attempt - 1 > state.content_attempt:
        state.content_attempt, state.content_at = event.attempt - 1, time
        return NewContent(event.progress)
    if isinstance(event, SubmissionCompleted) and event.content is not None and _is_newer_content(state, event, time):
        return _set_content(state, event, time)
    return None


def _start_attempt(state: State, event: SubmissionEvent) -> None:
    state.attempt = event.attempt
    state.rank, state.status = PENDING, "pending"
    state.name, state.name_normal = None, ""
    state.submitted_at = state.submitted_by = state.started_at = state.input_hash = None
    _clear_end(state)
    _clear_waiting(state)


def _apply_within_attempt(state: State, event: SubmissionEvent, rank: int, time: datetime) -> None:
    if rank == REMOVED:
        state.name, state.name_normal = None, ""
        state.submitted_at = state.submitted_by = state.started_at = None
        _clear_end(state)
        _clear_waiting(state)
        state.rank, state.status = REMOVED, "removed"
    if state.rank == REMOVED:
        return
    _fill_in(state, event, time)
    if rank < state.rank:
        return
    if isinstance(event, SubmissionStarted):
        state.rank, state.status = rank, "processing"
        state.run, state.worker, state.tries = event.run, event.worker, event.tries
        state.waiting_until = None
    elif isinstance(event, SubmissionParked):
        _park(state, event, time)
    elif isinstance(event, _ENDS) and _supersedes(state, event, rank, time):
        _end(state, event, time)


def _fill_in(state: State, event: SubmissionEvent, time: datetime) -> None:
    """Fields that an event of the attempt supplies, in whatever order the events arrive."""
    if isinstance(event, _WITH_SUBMITTED_AT):
        name = _name(event)
        if name is not None and (state.name is None or name < state.name):
            state.name, state.name_normal = name, normal(name)
        state.submitted_at = min(event.submitted_at, state.submitted_at or event.submitted_at)
    if isinstance(event, Submitted):
        state.submitted_by = min(event.submitted_by, state.submitted_by or event.submitted_by)
    if isinstance(event, ArticleSubmitted) and state.input_hash is None:
        state.input_hash = event.input_hash
    if isinstance(event, SubmissionStarted):
        state.started_at = min(time, state.started_at or time)


def _name(event: WorkRequested | Outcome) -> str | None:
    if isinstance(event, Outcome):
        return event.title or event.urn
    if isinstance(event, _WITH_URN):
        return event.urn
    if isinstance(event, CatalogScanRequested):
        return event.scan
    return event.title if isinstance(event, TopicSubmitted) else None


def _park(state: State, event: SubmissionParked, time: datetime) -> None:
    if state.waiting_reason != event.reason or state.waiting_since is None:
        state.waiting_since = time
    state.rank, state.status = PROCESSING, "pending"
    state.run, state.worker, state.tries = event.run, event.worker, event.tries
    state.waiting_reason, state.waiting_until = event.reason, event.until


def _supersedes(state: State, event: Outcome, rank: int, time: datetime) -> bool:
    return rank > state.rank or (time, event.run) < (state.ended_at or time, state.run or "")


def _end(state: State, event: SubmissionFailed | SubmissionCompleted, time: datetime) -> None:
    _clear_end(state)
    _clear_waiting(state)
    state.ended_at, state.run, state.worker, state.tries = time, event.run, event.worker, event.tries
    if isinstance(event, SubmissionFailed):
        state.rank, state.status = FAILED, "failed"
        state.error_code, state.error_message = event.error.code, event.error.message
        state.dead_lettered = event.dead_lettered
    else:
        state.rank, state.status = COMPLETED, "completed"
        state.input_hash = event.input_hash or state.input_hash


def _is_newer_content(state: State, event: SubmissionCompleted, time: datetime) -> bool:
    if event.skipped or event.attempt <= state.removed_attempt:
        return False
    if event.attempt != state.content_attempt:
        return event.attempt > state.content_attempt
    return (time, event.run) < (state.content_at or time, state.content_run or "")


def _set_content(state: State, event: SubmissionCompleted, time: datetime) -> NewContent:
    content = event.content or {}
    state.content_attempt, state.content_at, state.content_run = event.attempt, time, event.run
    title = content.get("title")
    state.content_id = topic_id(title) if event.kind == "topic" and isinstance(title, str) else None
    difficulty = content.get("difficulty")
    state.difficulty = difficulty if isinstance(difficulty, int) and 0 < difficulty < 100 else 0
    state.simulated = event.simulated
    return NewContent(content)


def _clear_content(state: State) -> None:
    state.content_attempt = 0
    state.content_at = state.content_run = state.content_id = state.simulated = None
    state.difficulty = 0


def _clear_end(state: State) -> None:
    state.ended_at = state.run = state.worker = state.error_code = state.error_message = None
    state.tries, state.dead_lettered = 0, False


def _clear_waiting(state: State) -> None:
    state.waiting_reason = state.waiting_since = state.waiting_until = None
