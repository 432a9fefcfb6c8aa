"""Stores a batch of events in one transaction: positions, rows, content, counts, history and usage.

Consumes: every event of the projected streams, and their dead letters
Publishes: dead letters, for what cannot be read or stored
Writes: every table of the projection
Fails: PositionMoved, when another projector was first; NewerVersion, when a newer topicflow wrote an event
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import StatementError

from shared.db.engine import Database, is_data_error
from shared.errors import InvalidEvent, TopicflowError
from shared.messaging.broker import Batch, Delivery, Positions
from shared.messaging.cloudevents import Record
from shared.messaging.dead_letter import dead_letter
from shared.streams import STREAMS
from status_projector import statements
from status_projector.apply_events import DecodedEvent, apply, decode_event, find_refused
from status_projector.observe_projection import observed
from status_projector.rows import dead_letter_row

log = structlog.get_logger()
Publish = Callable[[Sequence[Record]], Awaitable[None]]
Refused = Sequence[tuple[Delivery, str]]  # deliveries that cannot be projected, each with the reason
DEAD_LETTERS = {stream.dead_letters for stream in STREAMS}


class PositionMoved(TopicflowError):
    """Another projector moved the position of one of these partitions."""

    def __init__(self, partitions: Collection[int]) -> None:
        super().__init__("another projector moved the position")
        self.partitions = set(partitions)


class _RolledBack(Exception):
    """Ends a trial transaction, with its result."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused


@dataclass(frozen=True, slots=True)
class ProjectionPosition:
    """A row of `positions`. `version` grows with every batch that any projector stores."""

    version: int = 0
    positions: Positions = field(default_factory=dict)
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """A batch, its events, and the dead letters among its deliveries."""

    batch: Batch
    events: Sequence[DecodedEvent]
    dead_letters: Sequence[Delivery]


class Projection:
    def __init__(self, database: Database, publish: Publish, source: str) -> None:
        """`source`: the instance that dead letters name."""
        self._database = database
        self._publish = publish
        self._source = source
        self._positions: dict[int, ProjectionPosition] = {}

    @property
    def max_concurrent_batches(self) -> int:
        """The number of batches that may be stored concurrently."""
        return self._database.threads

    async def load(self, partition: int) -> Positions:
        """Returns where reading of this partition continues."""
        self._positions[partition] = await self.stored(partition)
        return self._positions[partition].positions

    async def stored(self, partition: int) -> ProjectionPosition:
        row = await self._database.run(lambda connection: statements.get_position(connection, partition))
        return ProjectionPosition(*row) if row else ProjectionPosition()

    async def project(self, batch: Batch) -> None:
        """Stores the whole batch. Dead-letters what cannot be stored, before the position moves past it."""
        await self.store(await self.decode(batch))

    async def decode(self, batch: Batch) -> DecodedBatch:
        """Dead-letters what cannot be decoded."""
        dead_letters = [delivery for delivery in batch.deliveries if delivery.record.stream in DEAD_LETTERS]
        events = await self._decode([d for d in batch.deliveries if d.record.stream not in DEAD_LETTERS])
        return DecodedBatch(batch, events, dead_letters)

    async def store(self, decoded: DecodedBatch) -> None:
        batch, events = decoded.batch, decoded.events
        while True:
            after = _positions_after(self._positions, batch, events)
            try:
                with observed(events):
                    await self._database.run(partial(_store, after, events, decoded.dead_letters))
            except (StatementError, OverflowError, UnicodeError) as error:
                if not is_data_error(error) or not (refused := await self._find_refused(events)):
                    raise
                await self._dead_letter("not_storable", refused)
                dead_lettered = {id(delivery) for delivery, _ in refused}
                events = [event for event in events if id(event.delivery) not in dead_lettered]
            else:
                self._positions |= after
                return

    async def _find_refused(self, events: Sequence[DecodedEvent]) -> Refused:
        """Runs a trial transaction: a savepoint in every regular one would cost two more round trips."""

        def trial(connection: Connection) -> None:
            raise _RolledBack([(event.delivery, reason) for event, reason in find_refused(connection, events)])

        try:
            await self._database.run(trial)
        except _RolledBack as result:
            return result.refused
        raise AssertionError("a trial transaction always rolls back")

    async def _decode(self, deliveries: Sequence[Delivery]) -> list[DecodedEvent]:
        """Decodes all before it dead-letters any: an event of a newer version stops the projector, and each restart
        would dead-letter the others again."""
        events: list[DecodedEvent] = []
        invalid: list[tuple[Delivery, str]] = []
        for delivery in deliveries:
            try:
                events.append(decode_event(delivery))
            except InvalidEvent as error:
                invalid.append((delivery, str(error)))
        await self._dead_letter("invalid_event", invalid)
        return events

    async def _dead_letter(self, code: str, refused: Refused) -> None:
        for delivery, message in refused:
            log.error("event_not_projectable", stream=delivery.record.stream, error=message)
        await self._publish([dead_letter(d, code=code, message=m, tries=0, source=self._source) for d, m in refused])


def _positions_after(
    before: Mapping[int, ProjectionPosition], batch: Batch, events: Sequence[DecodedEvent]
) -> dict[int, ProjectionPosition]:
    """Returns the new positions by partition."""
    newest = {partition: before[partition].as_of for partition in batch.positions}
    for decoded in events:
        known = newest[decoded.delivery.partition]
        if known is None or decoded.time > known:
            newest[decoded.delivery.partition] = decoded.time
    return {
        p: ProjectionPosition(before[p].version + 1, positions, newest[p]) for p, positions in batch.positions.items()
    }


def _store(
    after: Mapping[int, ProjectionPosition],
    events: Sequence[DecodedEvent],
    dead_letters: Sequence[Delivery],
    connection: Connection,
) -> None:
    """Moves the positions first, so that a projector that lost its turn changes nothing."""
    if not statements.move_positions(
        connection, [(number, new.version, new.positions, new.as_of) for number, new in sorted(after.items())]
    ):
        raise PositionMoved(after)
    apply(connection, events, {partition: new.version for partition, new in after.items()})
    statements.add_dead_letters(connection, [dead_letter_row(delivery) for delivery in dead_letters])
