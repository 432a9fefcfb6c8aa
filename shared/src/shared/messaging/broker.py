"""The broker interface. `tests/contract` specifies its guarantees once, for every implementation."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared.events import Event, WorkerHeartbeat
from shared.messaging.cloudevents import Record
from shared.messaging.provisioning import ProvisioningPlan
from shared.streams import Stream

Positions = Mapping[str, str]  # stream name → position, as opaque text; "" is the beginning
ONLY_PARTITION = 0  # of brokers without partitions
START = ""


@dataclass(slots=True, eq=False)
class Delivery:
    """One delivery of one record. `starts`: earlier starts by workers that died before they finished."""

    record: Record
    partition: int
    position: str
    starts: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """Stored together: records to publish, and the delivery that they end, if any."""

    records: Sequence[Record] = ()
    delivery: Delivery | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records from a reader, in order per stream and partition. `positions`: where reading continues after them, by
    partition; only partitions with records."""

    deliveries: Sequence[Delivery]
    positions: Mapping[int, Positions]


@dataclass(frozen=True, slots=True)
class Lag:
    """Entries that a group has not settled: those held by members (`in_flight`) and all others (`waiting`). Only these
    two are compared.

    `oldest`: when the first of them was stored. `expires_at`: when retention removes the first undelivered one; None if
    never.
    """

    waiting: int
    in_flight: int
    oldest: datetime | None = field(default=None, compare=False)
    expires_at: datetime | None = field(default=None, compare=False)

    @property
    def backlog(self) -> int:
        return self.waiting + self.in_flight


class Consumer(Protocol):
    """A member of a consumer group that settles its deliveries. Methods raise BrokerUnreachable."""

    async def fetch(self, limit: int, timeout: float) -> list[Delivery]:
        """Up to `limit` deliveries, those of dead members first; [] after `timeout` seconds. Never one in flight
        here."""

    async def started(self, deliveries: Sequence[Delivery]) -> Collection[Delivery]:
        """Stores that they are started, before their calls are paid for. Idempotent.

        Returns those that other members own by now, which this member must drop.
        """

    async def waiting(self, deliveries: Sequence[Delivery]) -> None:
        """Stores that they are no longer started: if the worker dies while they wait, it does not count as a start."""

    async def settle(self, batch: Sequence[Settled]) -> None:
        """Stores all records and ends all deliveries of the batch, or neither."""

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        """Releases unfinished deliveries for other members, at once or, on brokers that assign partitions, when this
        one has left. Not counted as a start."""

    async def group_share(self) -> float:
        """This member's share of the group's work, 0 to 1; the shares of all members add up to 1."""

    async def close(self) -> None:
        """Hands back what is left and leaves the group. Raises nothing."""


class Reader(Protocol):
    """Reads from positions that the caller stores. `owns_partitions`: no other reader reads the same partitions; one
    that still moves their positions is about to notice the reassignment."""

    owns_partitions: bool

    async def read(self, limit: int, timeout: float) -> Batch | None:
        """The next records of any partition, up to `limit` per stream; None after `timeout` seconds."""

    async def reload(self, partition: int) -> None:
        """Continues from the caller's stored positions, after another reader moved them."""

    async def close(self) -> None: ...


LoadPositions = Callable[[int], Awaitable[Positions]]
OnHeartbeat = Callable[[WorkerHeartbeat, datetime], None]


class Publisher(Protocol):
    async def publish(self, records: Sequence[Record]) -> None:
        """Returns when all are stored; after an error it is unknown whether all, some or none are. Raises BrokerFull.

        A work event is stored once per event id within ten minutes.
        """


class Provisioner(Protocol):
    """Creates what a service needs, and what `topicflow provision` changes."""

    async def check(self) -> None:
        """Raises BrokerUnsafe if stored records may be lost."""

    async def provision(self) -> list[str]:
        """Creates missing streams and groups; returns what it created. Raises PositionsLost."""

    async def plan(self, partitions: int | None = None) -> ProvisioningPlan:
        """What `topicflow provision` would do. `partitions`: number for every stream that is settled or projected; None
        keeps it. Raises SettingInvalid if that is impossible."""

    async def set_positions(self, group: str, stream: str, positions: Mapping[int, Positions]) -> None:
        """Sets the positions of a group that lost them, in the form of `end_positions`. Raises GroupInUse if the broker
        knows of members."""


class ReaderFactory(Protocol):
    async def reader(self, group: str, member: str, streams: Sequence[str], load: LoadPositions) -> Reader:
        """Reads every partition that this reader owns, from the positions that `load` returns."""


class StreamInspector(Protocol):
    """Reads positions, lag and memory; changes nothing."""

    async def end_positions(self, streams: Sequence[str]) -> Mapping[int, Positions]:
        """End positions, by partition."""

    def has_reached(self, positions: Mapping[int, Positions], ends: Mapping[int, Positions]) -> bool:
        """Whether a reader at `positions` has read everything before `ends`. Pure."""

    async def oldest_after(self, positions: Mapping[int, Positions]) -> datetime | None:
        """When the first record after the positions was stored; None if there is none. Partitions without a position
        are unread and count from their beginning."""

    async def lag(self, group: str) -> Lag:
        """At a cost that does not depend on the backlog. Raises PositionsLost if the group does not exist."""

    async def memory_share(self) -> float | None:
        """Used share of the broker's memory limit, 0 to 1 (full); None without a limit."""


class Transport(Publisher, Provisioner, ReaderFactory, StreamInspector, Protocol):
    """A connection to a broker. A caller that needs one part of it names that part. Methods raise BrokerUnreachable
    when the broker does not answer."""

    async def consumer(self, group: str, member: str) -> Consumer: ...

    async def trim(self, stream: Stream, projected: Mapping[int, Positions], keep: timedelta, max_bytes: int) -> int:
        """Removes entries older than `keep` or beyond `max_bytes`, if every group settled them and they are projected.
        Returns their number."""

    async def follow_heartbeats(self, on_heartbeat: OnHeartbeat) -> None:
        """Runs until cancelled: calls `on_heartbeat` with every heartbeat and when it was stored, from the oldest
        kept."""

    async def follow_control(self, on_event: Callable[[Event], None], on_caught_up: Callable[[], None]) -> None:
        """Runs until cancelled: calls `on_event` with the last value of every key of `worker-control`, then
        `on_caught_up`, then `on_event` with each change, within seconds."""

    def faststream_broker(self) -> Any:
        """The FastStream broker of a service: lifecycle, and subscribers of streams without settlement."""

    async def close(self) -> None: ...
