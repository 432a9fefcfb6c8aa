"""Events onto the tables, within the transaction that `on_submission_event.py` opened."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from shared.errors import InvalidEvent
from shared.events import Outcome, Removed, Submitted
from shared.transport.base import Delivery
from shared.wire import decode
from status_projector import statements
from status_projector.rows import history_row, usage_rows
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
    contents: dict[str, NewContent]
    counts: Counter[tuple[str, int, str]]


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
    statements.put_states(connection, changes.states.values())
    statements.put_contents(connection, changes.contents)
    statements.move_counts(connection, changes.counts)
    statements.add_history(connection, [history_row(told.event, told.event_id, told.time) for told in events])
    statements.add_usage(connection, [row for told in events for row in usage_rows(told.event, told.time)])


def _fold(states: dict[str, State], events: Sequence[Told]) -> _Changes:
    changes = _Changes(states, {}, Counter())
    for told in events:
        event = told.event
        state = states.setdefault(event.id, State(event.id, event.kind, told.delivery.partition))
        before = state.counted_as
        if content := advance(state, event, told.time):
            changes.contents[event.id] = content
        if (after := state.counted_as) != before:
            if before:
                changes.counts[state.kind, state.partition, before] -= 1
            if after:
                changes.counts[state.kind, state.partition, after] += 1
    return changes
