"""A batch of events, one transaction: position, rows, content, counts, history and usage move together or not at all.

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

from shared.db.engine import Database, is_of_the_data
from shared.errors import InvalidEvent, TopicflowError
from shared.messaging.broker import Batch, Delivery, Positions
from shared.messaging.cloudevents import Record
from shared.messaging.dead_letter import dead_letter
from shared.streams import STREAMS
from status_projector import statements
from status_projector.apply_events import DecodedEvent, apply, read, refused_among
from status_projector.observe_projection import observed
from status_projector.rows import dead_letter_row

log = structlog.get_logger()
Publish = Callable[[Sequence[Record]], Awaitable[None]]
Refused = Sequence[tuple[Delivery, str]]  # what cannot be projected, and why
DEAD_LETTERS = {stream.dead_letters for stream in STREAMS}


class PositionMoved(TopicflowError):
    """Of one of these partitions."""

    def __init__(self, partitions: Collection[int]) -> None:
        super().__init__("another projector moved the position")
        self.partitions = set(partitions)


class _RolledBack(Exception):
    """Of what was only tried."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused


@dataclass(frozen=True, slots=True)
class ProjectionPosition:
    """A row of `positions`. `version` moves with every batch that anybody projects."""

    version: int = 0
    positions: Positions = field(default_factory=dict)
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A batch as it is stored: its events, and the dead letters among its deliveries."""

    batch: Batch
    events: Sequence[DecodedEvent]
    letters: Sequence[Delivery]


class Projection:
    """`source`: the instance that dead letters name."""

    def __init__(self, database: Database, publish: Publish, source: str) -> None:
        self._database = database
        self._publish = publish
        self._source = source
        self._at: dict[int, ProjectionPosition] = {}

    @property
    def at_a_time(self) -> int:
        """So many batches may be stored at the same time."""
        return self._database.threads

    async def load(self, partition: int) -> Positions:
        """Where reading of this partition goes on."""
        self._at[partition] = await self.stored(partition)
        return self._at[partition].positions

    async def stored(self, partition: int) -> ProjectionPosition:
        found = await self._database.run(lambda connection: statements.get_position(connection, partition))
        return ProjectionPosition(*found) if found else ProjectionPosition()

    async def project(self, batch: Batch) -> None:
        """Stores all of it; what cannot be stored is among the dead letters before the position moves past it."""
        await self.store(await self.read(batch))

    async def read(self, batch: Batch) -> Read:
        """What cannot be read is among the dead letters."""
        letters = [delivery for delivery in batch.deliveries if delivery.record.stream in DEAD_LETTERS]
        events = await self._readable([d for d in batch.deliveries if d.record.stream not in DEAD_LETTERS])
        return Read(batch, events, letters)

    async def store(self, read: Read) -> None:
        batch, events = read.batch, read.events
        while True:
            after = _after(self._at, batch, events)
            try:
                with observed(events):
                    await self._database.run(partial(_store, after, events, read.letters))
            except (StatementError, OverflowError, UnicodeError) as error:
                if not is_of_the_data(error) or not (refused := await self._refused(events)):
                    raise
                await self._bury("not_storable", refused)
                gone = {id(delivery) for delivery, _ in refused}
                events = [decoded for decoded in events if id(decoded.delivery) not in gone]
            else:
                self._at |= after
                return

    async def _refused(self, events: Sequence[DecodedEvent]) -> Refused:
        """Tried in a transaction that is undone: savepoints in each one that is not would cost two round trips more."""

        def try_(connection: Connection) -> None:
            raise _RolledBack([(decoded.delivery, why) for decoded, why in refused_among(connection, events)])

        try:
            await self._database.run(try_)
        except _RolledBack as undone:
            return undone.refused
        raise AssertionError("it is always undone")

    async def _readable(self, deliveries: Sequence[Delivery]) -> list[DecodedEvent]:
        """Nothing is buried before all are looked at: a newer version among them would bury it again at each start."""
        readable: list[DecodedEvent] = []
        unreadable: list[tuple[Delivery, str]] = []
        for delivery in deliveries:
            try:
                readable.append(read(delivery))
            except InvalidEvent as error:
                unreadable.append((delivery, str(error)))
        await self._bury("invalid_event", unreadable)
        return readable

    async def _bury(self, code: str, refused: Refused) -> None:
        for delivery, message in refused:
            log.error("event_not_projectable", stream=delivery.record.stream, error=message)
        await self._publish([dead_letter(d, code=code, message=m, tries=0, source=self._source) for d, m in refused])


def _after(
    before: Mapping[int, ProjectionPosition], batch: Batch, events: Sequence[DecodedEvent]
) -> dict[int, ProjectionPosition]:
    """By partition."""
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
    letters: Sequence[Delivery],
    connection: Connection,
) -> None:
    """The positions first, so that a projector that lost its turn changes nothing."""
    if not statements.move_positions(
        connection, [(p, at.version, at.positions, at.as_of) for p, at in sorted(after.items())]
    ):
        raise PositionMoved(after)
    apply(connection, events)
    statements.add_dead_letters(connection, [dead_letter_row(letter) for letter in letters])
