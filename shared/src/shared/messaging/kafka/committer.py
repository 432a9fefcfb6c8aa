"""A member's commits: how far it is in each of its partitions, and what it knows of the rest, in the metadata."""

import asyncio
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata

from shared.errors import BrokerUnreachable
from shared.messaging.kafka.connection import PATIENCE, reaching
from shared.messaging.offset_tracker import PartitionWindow

Windows = Mapping[TopicPartition, PartitionWindow]


class CommitRefused(Exception):
    """The partitions are being dealt out."""


class NoMember(CommitRefused):
    """And this one has to join the group anew, which aiokafka does."""


class Commits:
    """One on its way at a time, of what changed; whoever asks meanwhile shares the next."""

    def __init__(self, client: AIOKafkaConsumer, windows: Callable[[], Windows]) -> None:
        """`windows`: of what is ours; none while the partitions are being dealt out, for a commit of the next
        generation must not carry what this one knew."""
        self.is_behind = False  # something could not be committed
        self._client = client
        self._windows = windows
        self._known: dict[TopicPartition, OffsetAndMetadata] = {}
        self._one_at_a_time = asyncio.Lock()
        self._changes = self._stored = 0
        self._sending: asyncio.Future[None] | None = None

    def take_over(self, found: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """These are there, of what is ours from now on; others know less than its windows."""
        self._known = dict(found)
        self.is_behind = True

    async def store(self) -> None:
        """Everything that changed so far. Raises BrokerUnreachable, CommitRefused."""
        self._changes = wanted = self._changes + 1
        async with self._one_at_a_time:
            if self._stored < wanted:
                covered = self._changes
                await self._store()
                self._stored = covered

    async def _store(self) -> None:
        windows = self._windows()
        if not windows:
            self.is_behind = True
            return
        states = {place: OffsetAndMetadata(w.watermark, w.metadata()) for place, w in windows.items()}
        if changed := {place: state for place, state in states.items() if self._known.get(place) != state}:
            try:
                await self._send(changed)
            except BaseException:
                self.is_behind = True
                raise
        self._known.update(changed)
        self.is_behind = False

    async def _send(self, changed: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        known, self._known = self._known, {}  # until it is known what arrived
        self._sending = asyncio.ensure_future(self._client.commit(changed))
        try:
            with reaching():
                async with asyncio.timeout(PATIENCE):
                    await asyncio.shield(self._sending)
        except BrokerUnreachable as error:
            match error.__cause__:
                case CommitFailedError():
                    raise NoMember from error
                case IllegalStateError() | asyncio.CancelledError():
                    raise CommitRefused from error
            raise
        finally:
            self._sending.cancel()
            self._sending = None
        self._known = known

    def give_up(self) -> None:
        """What is on its way, if anything is: it is in the next."""
        if self._sending:
            self._sending.cancel()
