"""Events onto the tables, within the transaction that `projection.py` opened."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import StatementError

from shared.db.engine import is_of_the_data
from shared.db.facets import Facet, facets_of
from shared.errors import InvalidEvent
from shared.events import CausesWork, Outcome, Removed
from shared.messaging.broker import Delivery
from shared.messaging.cloudevents import decode
from status_projector import statements
from status_projector.bulk_statements import Writes
from status_projector.ledger import book, paid_in
from status_projector.rows import ended_as, history_row
from status_projector.statements import CountDelta, Counted, FacetRow
from status_projector.submission_state import NewContent, State, advance, counted


@dataclass(slots=True)
class DecodedEvent:
    """An event of a submission, and the delivery that brought it."""

    delivery: Delivery
    event: CausesWork | Removed | Outcome
    event_id: str
    time: datetime


@dataclass(slots=True)
class _Changes:
    """What a batch does to the tables."""

    states: dict[str, State]
    created_before: dict[str, datetime | None]  # of those that had a content before the batch
    contents: dict[str, NewContent] = field(default_factory=dict)
    counts: dict[Counted, CountDelta] = field(default_factory=lambda: defaultdict(CountDelta))

    def count(self, state: State, status: str | None, milliseconds: int | None, sign: int) -> None:
        if status:
            moved = self.counts[state.kind, state.partition, status]
            moved.submissions += sign
            moved.timed += sign * (milliseconds is not None)
            moved.milliseconds += sign * (milliseconds or 0)


def read(delivery: Delivery) -> DecodedEvent:
    """Raises InvalidEvent, NewerVersion."""
    envelope = decode(delivery.record)
    if not isinstance(envelope.event, CausesWork | Removed | Outcome):
        raise InvalidEvent(f"{type(envelope.event).__name__} is not an event of a submission")
    return DecodedEvent(delivery, envelope.event, envelope.event_id, envelope.time)


def apply(connection: Connection, events: Sequence[DecodedEvent]) -> None:
    """Raises what `engine.is_of_the_data` knows, when the database refuses one of them."""
    states = statements.get_states(connection, {decoded.event.id for decoded in events})
    known = set(states)
    changes = _fold(states, events)
    writes = Writes()
    statements.put_states(connection, writes, changes.states, known)
    _move_facets(connection, writes, changes)
    statements.put_contents(connection, writes, changes.contents)
    statements.move_counts(writes, changes.counts)
    _count_ends(connection, writes, changes.states, events)
    statements.add_history(writes, [history_row(decoded.event, decoded.event_id, decoded.time) for decoded in events])
    _keep_the_ledger(connection, writes, changes.states, events)
    writes.execute(connection)


def refused_among(connection: Connection, events: Sequence[DecodedEvent]) -> list[tuple[DecodedEvent, str]]:
    """Which have data that the database refuses, and why: halves are applied until each is found."""
    try:
        with connection.begin_nested():
            apply(connection, events)
    except (StatementError, OverflowError, UnicodeError) as error:
        if not is_of_the_data(error):
            raise
        if len(events) == 1:
            return [(events[0], str(getattr(error, "orig", error)))]
        middle = len(events) // 2
        return refused_among(connection, events[:middle]) + refused_among(connection, events[middle:])
    return []


def _fold(states: dict[str, State], events: Sequence[DecodedEvent]) -> _Changes:
    changes = _Changes(states, {id_: state.created_at for id_, state in states.items() if state.content_attempt})
    for decoded in events:
        event = decoded.event
        state = states.get(event.id)
        if state is None:
            state = states[event.id] = State(event.id, event.kind, decoded.delivery.partition)
        before = (state.status, state.started_at, state.ended_at)
        if content := advance(state, event, decoded.time):
            changes.contents[event.id] = content
        if (after := (state.status, state.started_at, state.ended_at)) != before:
            changes.count(state, *counted(*before), -1)
            changes.count(state, *counted(*after), +1)
    return changes


def _count_ends(
    connection: Connection, writes: Writes, states: Mapping[str, State], events: Sequence[DecodedEvent]
) -> None:
    """Of articles, of which people compare these numbers over time. Before the events are in the history, which says
    what was counted; each attempt once, as its first end says, whatever is removed or comes late."""
    first: dict[tuple[str, int], str] = {}
    for decoded in events:
        if ended := ended_as(decoded.event):
            first.setdefault((decoded.event.id, decoded.event.attempt), ended)
    if first:
        known = statements.get_ended(connection, {id_ for id_, _ in first})
        new = {attempt: ended for attempt, ended in first.items() if attempt not in known}
        counted = Counter(("article", states[id_].partition, ended) for (id_, _), ended in new.items())
        statements.move_ends(writes, counted)


def _keep_the_ledger(
    connection: Connection, writes: Writes, states: Mapping[str, State], events: Sequence[DecodedEvent]
) -> None:
    if entries := [paid for of in events for paid in paid_in(of.event, of.time)]:
        ids = {paid.id for paid in entries}
        booked = book(statements.get_paid(connection, ids), entries, {id_: states[id_].partition for id_ in ids})
        statements.put_booked(writes, booked)


def _move_facets(connection: Connection, writes: Writes, changes: _Changes) -> None:
    """Before the contents are replaced, for what a submission was found by is read from the one before."""
    created = {id_: changes.states[id_].created_at for id_ in changes.created_before.keys() | changes.contents.keys()}
    moved = {id_ for id_, before in changes.created_before.items() if id_ in changes.contents or before != created[id_]}
    contents = statements.get_contents(connection, moved)
    added: list[FacetRow] = []
    removed: list[FacetRow] = []
    counts: dict[int, Counter[Facet]] = defaultdict(Counter)  # by partition: how many more
    for id_ in moved | changes.contents.keys():
        content = contents.get(id_)
        old = facets_of(content)
        new = facets_of(changes.contents[id_].content) if id_ in changes.contents else old
        before, after = changes.created_before.get(id_), created[id_]
        stays = old & new if before == after else set()
        added += [(facet, value, after, id_) for facet, value in new - stays]
        removed += [(facet, value, before, id_) for facet, value in old - stays]
        counts[changes.states[id_].partition].update(new)
        counts[changes.states[id_].partition].subtract(old)
    statements.move_facets(writes, added, removed, counts)
