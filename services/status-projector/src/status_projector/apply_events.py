"""Events onto the tables, within the transaction that `on_submission_event.py` opened."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import StatementError

from shared.db.engine import DatabaseUnreachable, is_of_the_data, together
from shared.errors import InvalidEvent
from shared.events import CausesWork, Outcome, Removed
from shared.transport.base import Delivery
from shared.wire import decode
from status_projector import statements
from status_projector.facets import facets_of
from status_projector.ledger import Booked, book, paid_in
from status_projector.rows import ended_as, history_row
from status_projector.statements import Counted, Moved, MovedFacets
from status_projector.status_counts import NewContent, State, advance, counted


@dataclass(slots=True)
class Told:
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
    if not isinstance(envelope.event, CausesWork | Removed | Outcome):
        raise InvalidEvent(f"{type(envelope.event).__name__} is not about a submission")
    return Told(delivery, envelope.event, envelope.event_id, envelope.time)


def apply(connection: Connection, events: Sequence[Told]) -> None:
    """Raises what `engine.is_of_the_data` knows, when the database refuses one of them."""
    states = statements.get_states(connection, {told.event.id for told in events})
    known = set(states)
    changes = _fold(states, events)
    facets = _moved_facets(connection, changes)
    ends = _new_ends(connection, states, events)
    booked = _booked(connection, states, events)
    with together(connection):
        are_new = statements.put_states(connection, states, known)
        statements.move_facets(connection, facets)
        statements.put_contents(connection, changes.contents)
        statements.move_counts(connection, changes.counts)
        statements.move_ends(connection, ends)
        statements.add_history(connection, [history_row(told.event, told.event_id, told.time) for told in events])
        statements.put_booked(connection, booked)
    if not are_new():
        raise DatabaseUnreachable("another projector stored the same new submission in the same moment")


def refused_among(connection: Connection, events: Sequence[Told]) -> list[tuple[Told, str]]:
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


def _fold(states: dict[str, State], events: Sequence[Told]) -> _Changes:
    changes = _Changes(states, {id_: state.created_at for id_, state in states.items() if state.content_attempt})
    for told in events:
        event = told.event
        state = states.get(event.id)
        if state is None:
            state = states[event.id] = State(event.id, event.kind, told.delivery.partition)
        before = (state.status, state.started_at, state.ended_at)
        if content := advance(state, event, told.time):
            changes.contents[event.id] = content
        if (after := (state.status, state.started_at, state.ended_at)) != before:
            changes.count(state, *counted(*before), -1)
            changes.count(state, *counted(*after), +1)
    return changes


def _new_ends(connection: Connection, states: Mapping[str, State], events: Sequence[Told]) -> Mapping[Counted, int]:
    """Of articles, of which people compare these numbers over time. Before the events are in the history, which says
    what was counted; each attempt once, as its first end says, whatever is removed or comes late."""
    first: dict[tuple[str, int], str] = {}
    for told in events:
        if ended := ended_as(told.event):
            first.setdefault((told.event.id, told.event.attempt), ended)
    known = statements.get_ended(connection, {id_ for id_, _ in first})
    new = {attempt: ended for attempt, ended in first.items() if attempt not in known}
    return Counter(("article", states[id_].partition, ended) for (id_, _), ended in new.items())


def _booked(connection: Connection, states: Mapping[str, State], events: Sequence[Told]) -> Booked:
    told = [paid for of in events for paid in paid_in(of.event, of.time)]
    ids = {paid.id for paid in told}
    return book(statements.get_paid(connection, ids), told, {id_: states[id_].partition for id_ in ids})


def _moved_facets(connection: Connection, changes: _Changes) -> MovedFacets:
    """Before the contents are replaced, for what a submission was found by is read from the one before."""
    created = {id_: changes.states[id_].created_at for id_ in changes.created_before.keys() | changes.contents.keys()}
    moved = {id_ for id_, before in changes.created_before.items() if id_ in changes.contents or before != created[id_]}
    contents = statements.get_contents(connection, moved)
    facets = MovedFacets()
    for id_ in moved | changes.contents.keys():
        content = contents.get(id_)
        old = facets_of(content)
        new = facets_of(changes.contents[id_].content) if id_ in changes.contents else old
        before, after = changes.created_before.get(id_), created[id_]
        stays = old & new if before == after else set()
        facets.added += [(facet, value, after, id_) for facet, value in new - stays]
        facets.removed += [(facet, value, before, id_) for facet, value in old - stays]
        facets.counts[changes.states[id_].partition].update(new)
        facets.counts[changes.states[id_].partition].subtract(old)
    return facets
