"""A batch of events, one transaction: position, rows, content, counts, history and usage move together or not at all.

Consumes: every event of the projected streams, and their dead letters
Publishes: dead letters, for what can not be read or stored
Writes: every table of the projection
Fails: PositionMoved, when another projector was first; NewerVersion, when a newer topicflow wrote an event
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Insert, Update, delete, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.db import tables
from shared.errors import InvalidEvent, TopicflowError
from shared.events import Outcome, Removed, SubmissionEvent, SubmissionFailed, Submitted
from shared.transport.base import Batch, Delivery, Positions
from shared.transport.dead_letter import dead_letter
from shared.wire import Envelope, Record, decode
from status_projector.status_counts import NewContent, State, advance

log = structlog.get_logger()
Publish = Callable[[Sequence[Record]], Awaitable[None]]
Read = tuple[Delivery, Envelope]
ROWS_A_QUERY = 500
COLUMNS = [field.name for field in fields(State)]


class PositionMoved(TopicflowError): ...


@dataclass(slots=True)
class _Changes:
    """What a batch does to the tables."""

    states: dict[str, State]
    contents: dict[str, NewContent]
    counts: Counter[tuple[str, int, str]]


class Projection:
    """`source`: the instance that dead letters name."""

    def __init__(self, engine: AsyncEngine, publish: Publish, source: str) -> None:
        self._engine = engine
        self._publish = publish
        self._source = source
        self._versions: dict[int, int] = {}
        self._as_of: dict[int, datetime] = {}

    async def load(self, partition: int) -> Positions:
        """Where reading of this partition goes on."""
        self._versions[partition], positions = await self.stored(partition)
        return positions

    async def stored(self, partition: int) -> tuple[int, Positions]:
        """A version, which moves with every batch that anybody projects, and the positions."""
        query = select(tables.positions).where(tables.positions.c.partition == partition)
        async with self._engine.connect() as connection:
            found = (await connection.execute(query)).one_or_none()
        return (found.version, found.positions) if found else (0, {})

    async def project(self, batch: Batch) -> None:
        dead = [delivery for delivery in batch.deliveries if "dl_id" in delivery.record.headers]
        readable = await self._readable([d for d in batch.deliveries if "dl_id" not in d.record.headers])
        times = [envelope.time for _, envelope in readable]
        async with self._engine.begin() as connection:
            await self._move_position(connection, batch, max(times, default=None))
            await self._store(connection, readable)
            await _upsert_nothing(connection, tables.dead_letters, [_dead_letter_row(d) for d in dead])
        self._versions[batch.partition] += 1

    async def _readable(self, deliveries: Sequence[Delivery]) -> list[Read]:
        readable = []
        for delivery in deliveries:
            try:
                readable.append((delivery, decode(delivery.record)))
            except InvalidEvent as error:
                await self._bury(delivery, "invalid_event", str(error))
        return readable

    async def _bury(self, delivery: Delivery, code: str, message: str) -> None:
        log.error("event can not be projected", stream=delivery.record.stream, error=message)
        await self._publish([dead_letter(delivery, code=code, message=message, tries=0, source=self._source)])

    async def _move_position(self, connection: AsyncConnection, batch: Batch, as_of: datetime | None) -> None:
        """First, so that a projector that lost its turn changes nothing."""
        version = self._versions[batch.partition]
        row: dict[str, Any] = {"version": version + 1, "positions": dict(batch.positions)}
        positions = tables.positions
        if as_of:
            self._as_of[batch.partition] = row["as_of"] = max(as_of, self._as_of.get(batch.partition, as_of))
        statement: Insert | Update
        if version == 0:
            statement = insert(positions).values(partition=batch.partition, **row).on_conflict_do_nothing()
        else:
            at = (positions.c.partition == batch.partition) & (positions.c.version == version)
            statement = update(positions).where(at).values(**row)
        if (await connection.execute(statement)).rowcount != 1:
            raise PositionMoved(f"another projector moved partition {batch.partition}")

    async def _store(self, connection: AsyncConnection, events: Sequence[Read]) -> None:
        """All of them; where the database refuses the data of one, all but that one."""
        try:
            async with connection.begin_nested():
                await _apply(connection, events)
        except (DBAPIError, OverflowError, ValueError) as error:
            if isinstance(error, OperationalError | InterfaceError):
                raise
            if len(events) == 1:
                await self._bury(events[0][0], "not_storable", str(getattr(error, "orig", error)))
                return
            middle = len(events) // 2
            await self._store(connection, events[:middle])
            await self._store(connection, events[middle:])


async def _apply(connection: AsyncConnection, events: Sequence[Read]) -> None:
    if not events:
        return
    changes = await _fold(connection, events)
    await _upsert(
        connection,
        tables.submissions,
        [{name: getattr(state, name) for name in COLUMNS} for state in changes.states.values()],
    )
    await _write_contents(connection, changes.contents)
    await _move_counts(connection, changes.counts)
    await _upsert_nothing(connection, tables.history, [_history_row(e) for _, e in events])
    await _upsert_nothing(connection, tables.usage, [row for _, e in events for row in _usage_rows(e)])


async def _fold(connection: AsyncConnection, events: Sequence[Read]) -> _Changes:
    states = await _load(connection, {event.id for _, e in events if isinstance(event := e.event, SubmissionEvent)})
    changes = _Changes(states, {}, Counter())
    for delivery, envelope in events:
        event = envelope.event
        if not isinstance(event, Submitted | Removed | Outcome):
            continue
        state = states.setdefault(event.id, State(event.id, event.kind, delivery.partition))
        before = state.counted_as
        if content := advance(state, event, envelope.time):
            changes.contents[event.id] = content
        if (after := state.counted_as) != before:
            if before:
                changes.counts[state.kind, state.partition, before] -= 1
            if after:
                changes.counts[state.kind, state.partition, after] += 1
    return changes


async def _load(connection: AsyncConnection, ids: set[str]) -> dict[str, State]:
    columns = [tables.submissions.c[name] for name in COLUMNS]
    wanted = sorted(ids)
    found: dict[str, State] = {}
    for at in range(0, len(wanted), ROWS_A_QUERY):
        query = select(*columns).where(tables.submissions.c.id.in_(wanted[at : at + ROWS_A_QUERY]))
        for row in await connection.execute(query):
            found[row.id] = State(*row)
    return found


async def _upsert(connection: AsyncConnection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        statement = insert(table)
        kept = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
        await connection.execute(statement.on_conflict_do_update(index_elements=table.primary_key, set_=kept), rows)


async def _upsert_nothing(connection: AsyncConnection, table: Any, rows: list[dict[str, Any]]) -> None:
    """Rows that are there already stay as they are."""
    if rows:
        await connection.execute(insert(table).on_conflict_do_nothing(), rows)


async def _write_contents(connection: AsyncConnection, contents: dict[str, NewContent]) -> None:
    rows = [
        {"id": id_, "content": json.dumps(new.content, ensure_ascii=False)}
        for id_, new in contents.items()
        if new.content is not None
    ]
    await _upsert(connection, tables.contents, rows)
    if gone := [id_ for id_, new in contents.items() if new.content is None]:
        await connection.execute(delete(tables.contents).where(tables.contents.c.id.in_(gone)))


async def _move_counts(connection: AsyncConnection, counts: Counter[tuple[str, int, str]]) -> None:
    rows = [
        {"kind": kind, "partition": partition, "status": status, "submissions": delta}
        for (kind, partition, status), delta in counts.items()
        if delta
    ]
    if rows:
        table = tables.status_counts
        statement = insert(table)
        moved = {"submissions": table.c.submissions + statement.excluded.submissions}
        await connection.execute(statement.on_conflict_do_update(index_elements=table.primary_key, set_=moved), rows)


def _history_row(envelope: Envelope) -> dict[str, Any]:
    event = envelope.event
    assert isinstance(event, SubmissionEvent)
    outcome = event if isinstance(event, Outcome) else None
    return {
        "event_id": envelope.event_id,
        "id": event.id,
        "event": type(event).__name__,
        "attempt": event.attempt,
        "time": envelope.time,
        "run": outcome.run if outcome else None,
        "worker": outcome.worker if outcome else None,
        "error": event.error.message if isinstance(event, SubmissionFailed) else None,
    }


def _usage_rows(envelope: Envelope) -> list[dict[str, Any]]:
    event = envelope.event
    if not isinstance(event, Outcome):
        return []
    about = {"id": event.id, "kind": event.kind, "attempt": event.attempt, "run": event.run, "time": envelope.time}
    return [{**used.model_dump(), **about} for used in event.usage]


def _dead_letter_row(delivery: Delivery) -> dict[str, Any]:
    headers = delivery.record.headers
    return {
        "id": headers["dl_id"],
        "stream": headers.get("dl_stream", delivery.record.stream),
        "position": headers.get("dl_position", ""),
        "submission": delivery.record.key,
        "error": headers.get("dl_error", ""),
        "message": headers.get("dl_message", ""),
        "tries": int(headers.get("dl_tries", "0")),
        "time": datetime.fromisoformat(headers["dl_time"]),
        "headers": dict(headers),
        "data": delivery.record.data,
    }
