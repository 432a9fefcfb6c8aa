"""Applies a batch of events to the tables, within the transaction that `projection.py` opened."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import StatementError

from shared.db.engine import is_data_error
from shared.db.facets import Facet, facets_of
from shared.errors import InvalidEvent
from shared.events import Outcome, Removed, WorkRequested
from shared.messaging.broker import Delivery
from shared.messaging.cloudevents import decode
from status_projector import statements
from status_projector.bulk_statements import Writes
from status_projector.ledger import book, ledger_entries
from status_projector.rows import ended_as, history_row
from status_projector.statements import CountDelta, CountKey, FacetRow
from status_projector.submission_state import NewContent, State, advance, counted

_SHOWN: Callable[[State], tuple[Any, ...]] = attrgetter(  # in lists and to those who listen for changes
    "attempt",
    "status",
    "name",
    "waiting_reason",
    "waiting_since",
    "waiting_until",
    "error_message",
    "content_attempt",
    "content_run",
)


@dataclass(slots=True)
class DecodedEvent:
    """An event of a submission, with the delivery that carried it."""

    delivery: Delivery
    event: WorkRequested | Removed | Outcome
    event_id: str
    time: datetime


@dataclass(slots=True)
class _Changes:
    """What a batch changes in the tables."""

    states: dict[str, State]
    created_before: dict[str, datetime | None]  # before the batch, of submissions with content
    contents: dict[str, NewContent] = field(default_factory=dict)
    counts: dict[CountKey, CountDelta] = field(default_factory=lambda: defaultdict(CountDelta))

    def count(self, state: State, status: str | None, milliseconds: int | None, sign: int) -> None:
        if status:
            delta = self.counts[state.kind, state.partition, status]
            delta.submissions += sign
            delta.timed += sign * (milliseconds is not None)
            delta.milliseconds += sign * (milliseconds or 0)


def decode_event(delivery: Delivery) -> DecodedEvent:
    """Raises InvalidEvent, NewerVersion."""
    envelope = decode(delivery.record)
    if not isinstance(envelope.event, WorkRequested | Removed | Outcome):
        raise InvalidEvent(f"{type(envelope.event).__name__} is not an event of a submission")
    return DecodedEvent(delivery, envelope.event, envelope.event_id, envelope.time)


def apply(connection: Connection, events: Sequence[DecodedEvent], versions: Mapping[int, int]) -> None:
    """`versions`: of the batch, by partition.

    If the database refuses an event, raises an error for which `engine.is_data_error` is true.
    """
    states = statements.get_states(connection, {decoded.event.id for decoded in events})
    known = set(states)
    changes = _fold(states, events, versions)
    writes = Writes()
    statements.put_states(connection, writes, changes.states, known)
    _update_facets(connection, writes, changes)
    statements.put_contents(connection, writes, changes.contents)
    statements.update_counts(writes, changes.counts)
    _count_ends(connection, writes, changes.states, events)
    statements.add_history(writes, [history_row(decoded.event, decoded.event_id, decoded.time) for decoded in events])
    _update_ledger(connection, writes, changes.states, events)
    writes.execute(connection)


def find_refused(connection: Connection, events: Sequence[DecodedEvent]) -> list[tuple[DecodedEvent, str]]:
    """The events whose data the database refuses, each with the reason. Found by bisection."""
    try:
        with connection.begin_nested():
            apply(connection, events, defaultdict(int))
    except (StatementError, OverflowError, UnicodeError) as error:
        if not is_data_error(error):
            raise
        if len(events) == 1:
            return [(events[0], str(getattr(error, "orig", error)))]
        middle = len(events) // 2
        return find_refused(connection, events[:middle]) + find_refused(connection, events[middle:])
    return []


def _fold(states: dict[str, State], events: Sequence[DecodedEvent], versions: Mapping[int, int]) -> _Changes:
    changes = _Changes(states, {id_: state.created_at for id_, state in states.items() if state.content_attempt})
    for decoded in events:
        event = decoded.event
        state = states.get(event.id)
        if state is None:
            state = states[event.id] = State(event.id, event.kind, decoded.delivery.partition)
        before, shown_before = (state.status, state.started_at, state.ended_at), _SHOWN(state)
        if content := advance(state, event, decoded.time):
            changes.contents[event.id] = content
        if (after := (state.status, state.started_at, state.ended_at)) != before:
            changes.count(state, *counted(*before), -1)
            changes.count(state, *counted(*after), +1)
        if _SHOWN(state) != shown_before:
            state.changed_in = decoded.delivery.partition
            state.changed = versions[state.changed_in]
    return changes


def _count_ends(
    connection: Connection, writes: Writes, states: Mapping[str, State], events: Sequence[DecodedEvent]
) -> None:
    """Counts how articles ended; users compare these numbers over time.

    Each attempt counts once, by its first end, whatever is removed or arrives late. Must run before the events are in
    the history, which tells what was already counted.
    """
    first: dict[tuple[str, int], str] = {}
    for decoded in events:
        if ended := ended_as(decoded.event):
            first.setdefault((decoded.event.id, decoded.event.attempt), ended)
    if first:
        known = statements.get_ended_attempts(connection, {id_ for id_, _ in first})
        new = {attempt: ended for attempt, ended in first.items() if attempt not in known}
        ends = Counter(("article", states[id_].partition, ended) for (id_, _), ended in new.items())
        statements.update_ends(writes, ends)


def _update_ledger(
    connection: Connection, writes: Writes, states: Mapping[str, State], events: Sequence[DecodedEvent]
) -> None:
    if entries := [entry for decoded in events for entry in ledger_entries(decoded.event, decoded.time)]:
        ids = {entry.id for entry in entries}
        known = statements.get_ledger_entries(connection, ids)
        statements.update_ledger(writes, book(known, entries, {id_: states[id_].partition for id_ in ids}))


def _update_facets(connection: Connection, writes: Writes, changes: _Changes) -> None:
    """Must run before the contents are replaced: the old facets are derived from the stored content."""
    created = {id_: changes.states[id_].created_at for id_ in changes.created_before.keys() | changes.contents.keys()}
    before_batch = changes.created_before
    affected = {id_ for id_, before in before_batch.items() if id_ in changes.contents or before != created[id_]}
    contents = statements.get_contents(connection, affected)
    added: list[FacetRow] = []
    removed: list[FacetRow] = []
    counts: dict[int, Counter[Facet]] = defaultdict(Counter)  # by partition: change of each count
    for id_ in affected | changes.contents.keys():
        content = contents.get(id_)
        old = facets_of(content)
        new = facets_of(changes.contents[id_].content) if id_ in changes.contents else old
        before, after = changes.created_before.get(id_), created[id_]
        unchanged = old & new if before == after else set()
        added += [(facet, value, after, id_) for facet, value in new - unchanged]
        removed += [(facet, value, before, id_) for facet, value in old - unchanged]
        counts[changes.states[id_].partition].update(new)
        counts[changes.states[id_].partition].subtract(old)
    statements.update_facets(writes, added, removed, counts)
