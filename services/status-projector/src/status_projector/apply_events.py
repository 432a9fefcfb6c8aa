"""Events onto the tables, within the transaction that `on_submission_event.py` opened."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from shared.errors import InvalidEvent
from shared.events import Outcome, Removed, Submitted
from shared.transport.base import Delivery
from shared.wire import decode
from status_projector import statements
from status_projector.facets import facets_of
from status_projector.rows import history_row, usage_rows
from status_projector.statements import Counted, Moved
from status_projector.status_counts import NewContent, State, advance


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a submission, and the delivery that brought it."""

    delivery: Delivery
    event: Submitted | Removed | Outcome
    event_id: str
    time: datetime


@dataclass(slots=True)
class _Changes:
    """What a batch does to the tables."""

    states: dict[str, State]
    contents: dict[str, NewContent] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)  # those that had a content before the batch
    counts: dict[Counted, Moved] = field(default_factory=lambda: defaultdict(Moved))

    def count(self, state: State, status: str | None, milliseconds: int | None, sign: int) -> None:
        if status:
            moved = self.counts[state.kind, state.partition, status]
            moved.submissions += sign
            moved.timed += sign * (milliseconds is not None)
            moved.milliseconds += sign * (milliseconds or 0)


def read(delivery: Delivery) -> Told:
    """Raises InvalidEvent, NewerVersion."""
    envelope = decode(delivery.record)
    if not isinstance(envelope.event, Submitted | Removed | Outcome):
        raise InvalidEvent(f"{type(envelope.event).__name__} is not about a submission")
    return Told(delivery, envelope.event, envelope.event_id, envelope.time)


def apply_or_find_refused(connection: Connection, events: Sequence[Told]) -> list[tuple[Told, str]]:
    """Applies all, or says which have data that the database refuses, halving until each is found."""
    try:
        with connection.begin_nested():
            _apply(connection, events)
    except (StatementError, OverflowError, UnicodeError) as error:
        if isinstance(error, DBAPIError) and not isinstance(error, DataError | IntegrityError):
            raise  # it is the database, not the data
        if len(events) == 1:
            return [(events[0], str(getattr(error, "orig", error)))]
        middle = len(events) // 2
        return apply_or_find_refused(connection, events[:middle]) + apply_or_find_refused(connection, events[middle:])
    return []


def _apply(connection: Connection, events: Sequence[Told]) -> None:
    changes = _fold(statements.get_states(connection, {told.event.id for told in events}), events)
    _move_facets(connection, changes)
    statements.put_states(connection, changes.states.values())
    statements.put_contents(connection, changes.contents)
    statements.move_counts(connection, changes.counts)
    statements.add_history(connection, [history_row(told.event, told.event_id, told.time) for told in events])
    statements.add_usage(connection, [row for told in events for row in usage_rows(told.event, told.time)])


def _fold(states: dict[str, State], events: Sequence[Told]) -> _Changes:
    changes = _Changes(states)
    for told in events:
        event = told.event
        state = states.setdefault(event.id, State(event.id, event.kind, told.delivery.partition))
        before, had_content = (state.counted_as, state.milliseconds), state.content_attempt > 0
        if content := advance(state, event, told.time):
            if had_content and event.id not in changes.contents:
                changes.replaced.add(event.id)
            changes.contents[event.id] = content
        if (after := (state.counted_as, state.milliseconds)) != before:
            changes.count(state, *before, -1)
            changes.count(state, *after, +1)
    return changes


def _move_facets(connection: Connection, changes: _Changes) -> None:
    """Before the contents are replaced, for what a submission was found by is read from the one before."""
    before = statements.get_contents(connection, changes.replaced)
    added: list[tuple[str, str, str]] = []
    removed: list[tuple[str, str, str]] = []
    counts: Counter[tuple[str, str, int]] = Counter()
    for id_, new in changes.contents.items():
        old_facets, new_facets = facets_of(before.get(id_)), facets_of(new.content)
        partition = changes.states[id_].partition
        for facet, value in new_facets - old_facets:
            added.append((facet, value, id_))
            counts[facet, value, partition] += 1
        for facet, value in old_facets - new_facets:
            removed.append((facet, value, id_))
            counts[facet, value, partition] -= 1
    statements.move_facets(connection, added, removed, counts)
