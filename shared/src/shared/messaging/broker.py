"""What topicflow asks of a broker. `tests/contract` states what these promise, once, for every implementation."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared.events import Event, WorkerBeat
from shared.messaging.cloudevents import Record
from shared.messaging.provisioning import ProvisioningPlan
from shared.streams import Stream

Positions = Mapping[str, str]  # stream name → where to read on; opaque text, "" is the beginning
ONLY_PARTITION = 0  # of a broker whose streams are not divided
START = ""


@dataclass(slots=True, eq=False)
class Delivery:
    """One handing of one record. `starts`: how often it was begun before and not ended, by workers that died."""

    record: Record
    partition: int
    position: str
    starts: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """What must be stored together: records to publish and the delivery that they end, if they end one."""

    records: Sequence[Record] = ()
    delivery: Delivery | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What a reader got, each stream of a partition in its order. `positions`: by partition that something is of, where
    its streams go on after it."""

    deliveries: Sequence[Delivery]
    positions: Mapping[int, Positions]


@dataclass(frozen=True, slots=True)
class Lag:
    """Entries a group has not settled: those that members said are begun or wait with them (`in_flight`), and all
    others. Equal where these two are.

    `oldest`: when the first of them was stored. `lost_at`: when retention removes the first that is not yet delivered,
    None where it never does.
    """

    waiting: int
    in_flight: int
    oldest: datetime | None = field(default=None, compare=False)
    lost_at: datetime | None = field(default=None, compare=False)

    @property
    def backlog(self) -> int:
        return self.waiting + self.in_flight


class Consumer(Protocol):
    """One member of a group that settles what it is given. Methods raise BrokerUnreachable."""

    async def fetch(self, limit: int, timeout: float) -> list[Delivery]:
        """Up to `limit` deliveries, those of dead members first; [] after `timeout` seconds. None is in flight here."""

    async def started(self, deliveries: Sequence[Delivery]) -> Collection[Delivery]:
        """Store that they are begun, before what they cost is paid. Harmless when repeated.

        Answers those that belong to others by now: this member has nothing more to do with them.
        """

    async def waiting(self, deliveries: Sequence[Delivery]) -> None:
        """Store that they are not begun any more: dying while they wait is not their fault."""

    async def settle(self, batch: Sequence[Settled]) -> None:
        """Store all records and end all deliveries of the batch, or neither."""

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        """Give away what was not ended, for another member to take at once (where partitions belong to members: when
        this one has left); not counted as a start."""

    async def share(self) -> float:
        """Which part of the group's work comes to this member, from 0 to 1; those of all members add up to 1."""

    async def close(self) -> None:
        """Hand back what is left and leave the group; raises nothing."""


class Reader(Protocol):
    """Plain reads from positions that the caller keeps. `owns_partitions`: those that it reads are nobody else's, and
    who moves their positions all the same is about to notice."""

    owns_partitions: bool

    async def read(self, limit: int, timeout: float) -> Batch | None:
        """The next records, up to `limit` of each stream, of whatever partitions; None after `timeout` seconds."""

    async def reload(self, partition: int) -> None:
        """Go on from the caller's stored positions: somebody else moved them."""

    async def close(self) -> None: ...


LoadPositions = Callable[[int], Awaitable[Positions]]
Note = Callable[[WorkerBeat, datetime], None]


class Transport(Protocol):
    """Methods raise BrokerUnreachable when the broker does not answer."""

    async def check(self) -> None:
        """Raises BrokerUnsafe if what it stores may be lost."""

    async def provision(self) -> list[str]:
        """Make the streams and groups that are missing; says what it made. Raises PositionsLost."""

    async def plan(self, partitions: int | None = None) -> ProvisioningPlan:
        """What `topicflow provision` would do here. `partitions`: so many shall every stream have that somebody settles
        or projects; None: as many as they have. Raises SettingInvalid where that cannot be."""

    async def place(self, group: str, stream: str, positions: Mapping[int, Positions]) -> None:
        """A group that lost its positions goes on from these, as `ends` gives them. Raises GroupInUse where it has
        members, as far as the broker knows them."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Returns when all are stored; an error means not known to be, possibly in part. Raises BrokerFull.

        What causes work is stored once per event id, within ten minutes.
        """

    async def consumer(self, group: str, member: str) -> Consumer: ...

    async def reader(self, group: str, member: str, streams: Sequence[str], load: LoadPositions) -> Reader:
        """Reads every partition that this reader owns, each from where `load` says."""

    async def ends(self, streams: Sequence[str]) -> Mapping[int, Positions]:
        """By partition: the position that a reader of everything has reached."""

    def has_reached(self, positions: Mapping[int, Positions], ends: Mapping[int, Positions]) -> bool:
        """Whether whoever has read up to the positions has read everything before the ends. Pure."""

    async def oldest_after(self, positions: Mapping[int, Positions]) -> datetime | None:
        """When the first record after the positions was stored, None if there is none. Partitions that are not among
        them count from their beginning: nobody has read anything of them yet."""

    async def lag(self, group: str) -> Lag:
        """At the same cost, whatever waits. Raises PositionsLost where the group is gone."""

    async def memory_share(self) -> float | None:
        """How much of the memory that it may use it does use, from 0 to 1 (full); None where it has no limit."""

    async def trim(self, stream: Stream, projected: Mapping[int, Positions], keep: timedelta, max_bytes: int) -> int:
        """Remove what is older than `keep` or over `max_bytes`, if every group ended it and it is projected."""

    async def follow_heartbeats(self, note: Note) -> None:
        """Until cancelled: tell `note` every beat and when the broker stored it, from the oldest that is kept."""

    async def follow_control(self, note: Callable[[Event], None], caught_up: Callable[[], None]) -> None:
        """Until cancelled: tell `note` the last value of every key of `worker-control`, then `caught_up`, then what
        becomes new, within seconds."""

    def shell(self) -> Any:
        """What FastStream runs a service on: lifecycle, and its own subscribers where nothing is settled."""

    async def close(self) -> None: ...
