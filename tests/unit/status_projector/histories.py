"""Histories of submissions, random or hand-written, and their projected rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from factories import BEGAN, completed, failed, parked, removed, started, topic_submitted
from hypothesis import strategies as st

from shared.events import ErrorDetail, Outcome, Requeued, SubmissionEvent, SubmissionParked, SubmissionStarted
from shared.ids import topic_id
from status_projector.submission_state import State, advance, counted

ATTEMPTS = st.integers(1, 4)
MOMENTS = st.integers(0, 20).map(lambda seconds: BEGAN + timedelta(seconds=seconds))  # few, so that some are equal
SPELLINGS = st.sampled_from(["Raft", " raft", "RAFT"])
Content = dict[str, Any] | None


@dataclass(frozen=True)
class TimedEvent:
    event: SubmissionEvent
    time: datetime

    @property
    def is_ordered(self) -> bool:
        """Started and Parked: the later one in the stream is shown."""
        return isinstance(self.event, SubmissionStarted | SubmissionParked)


@dataclass
class Row:
    """The rows of one submission."""

    state: State
    content: Content = None

    @property
    def counted_as(self) -> str | None:
        status, _ = counted(self.state.status, self.state.started_at, self.state.ended_at)
        return status


def project(history: Sequence[TimedEvent]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for timed in history:
        row = rows.setdefault(timed.event.id, Row(State(timed.event.id, "topic", 0)))
        changed = advance(row.state, timed.event, timed.time)
        if changed is not None:
            row.content = changed.content
    return rows


def after(*events: SubmissionEvent) -> Row:
    """The row after these events, one second apart."""
    (row,) = project([TimedEvent(event, BEGAN + timedelta(seconds=n)) for n, event in enumerate(events)]).values()
    return row


@st.composite
def events(draw: st.DrawFn, run: str) -> TimedEvent:
    attempt, time = draw(ATTEMPTS), draw(MOMENTS)
    title = draw(SPELLINGS)
    id_ = topic_id(title if draw(st.booleans()) else "another one")
    how = draw(st.sampled_from([topic_submitted, started, parked, failed, completed, removed]))
    if how is topic_submitted:
        requeued = draw(st.none() | st.just(Requeued(n=1, tries=1, starts=0, since=BEGAN)))
        event: SubmissionEvent = topic_submitted(title, attempt, id=id_, submitted_at=draw(MOMENTS), requeued=requeued)
    elif how is removed:
        event = removed(title, attempt, id=id_)
    else:
        fields = {
            "title": draw(st.none() | st.just(title)),
            "attempt": attempt,
            "run": run,
            "id": id_,
            "submitted_at": draw(MOMENTS),
            "tries": draw(st.integers(0, 2)),
            "legacy_id": draw(st.none() | st.integers(0, 2)),
        }
        event = draw(outcomes(how, fields))
    return TimedEvent(event, time)


@st.composite
def outcomes(draw: st.DrawFn, how: object, fields: dict[str, Any]) -> Outcome:
    if how is started:
        return started(**fields)
    if how is parked:
        until = draw(st.none() | MOMENTS)
        return parked(**fields, reason=draw(st.sampled_from(["rate_limited", "unavailable"])), until=until)
    if how is failed:
        error = ErrorDetail(code="refused", message=f"failed in {fields['run']}")
        return failed(**fields, error=error, dead_lettered=draw(st.booleans()))
    content = draw(st.none() | st.just({"title": f"by {fields['run']}", "difficulty": len(fields["run"])}))
    return completed(**fields, content=content, simulated=draw(st.booleans()), skipped=draw(st.booleans()))


@st.composite
def histories(draw: st.DrawFn) -> list[TimedEvent]:
    """Events of two submissions. A run has one end, so no two ends are of the same run."""
    return [draw(events(f"run-{n}")) for n in range(draw(st.integers(1, 14)))]


@st.composite
def disorders(draw: st.DrawFn) -> tuple[list[TimedEvent], list[TimedEvent]]:
    """A history, and the same with duplicates and late events, shuffled except Started and Parked."""
    history = draw(histories())
    free = [timed for timed in history if not timed.is_ordered]
    if free:
        free += draw(st.lists(st.sampled_from(free), max_size=5))
    placed: list[TimedEvent] = []
    for n, timed in enumerate(once := [timed for timed in history if timed.is_ordered]):
        placed.append(timed)
        if draw(st.integers(0, 3)) == 0:  # a producer without an answer publishes its last events again
            placed += once[draw(st.integers(0, n)) : n + 1]
    free = draw(st.permutations(free))
    turns = draw(st.permutations([True] * len(placed) + [False] * len(free)))
    streams = {True: iter(placed), False: iter(free)}
    return history, [next(streams[turn]) for turn in turns]
