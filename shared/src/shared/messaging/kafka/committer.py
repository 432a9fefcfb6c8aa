"""Commits a member's offsets, with the state of its offset trackers as metadata."""

import asyncio
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata

from shared.errors import BrokerUnreachable
from shared.messaging.kafka.connection import REQUEST_TIMEOUT_SECONDS, translated_errors
from shared.messaging.offset_tracker import OffsetTracker

Trackers = Mapping[TopicPartition, OffsetTracker]


class CommitRefused(Exception):
    """A rebalance is in progress."""


class NotAMember(CommitRefused):
    """The member has to rejoin the group, which aiokafka does by itself."""


class OffsetCommitter:
    """Commits what has changed, one commit at a time; calls that arrive meanwhile are batched into the next."""

    def __init__(self, client: AIOKafkaConsumer, trackers: Callable[[], Trackers]) -> None:
        """`trackers`: of the owned partitions; empty during a rebalance, because a commit of the next generation must
        not carry the state of this one."""
        self.is_behind = False  # something could not be committed
        self._client = client
        self._trackers = trackers
        self._committed: dict[TopicPartition, OffsetAndMetadata] = {}
        self._one_at_a_time = asyncio.Lock()
        self._changes = self._stored = 0
        self._sending: asyncio.Future[None] | None = None

    def take_over(self, commits: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Starts from the commits of the newly assigned partitions; the trackers include their state."""
        self._committed = dict(commits)
        self.is_behind = True

    async def store(self) -> None:
        """Commits everything that has changed so far. Raises BrokerUnreachable, CommitRefused."""
        self._changes = target = self._changes + 1
        async with self._one_at_a_time:
            if self._stored < target:
                covered = self._changes
                await self._store()
                self._stored = covered

    async def _store(self) -> None:
        trackers = self._trackers()
        if not trackers:
            self.is_behind = True
            return
        states = {
            partition: OffsetAndMetadata(tracker.watermark, tracker.metadata())
            for partition, tracker in trackers.items()
        }
        if changed := {
            partition: state for partition, state in states.items() if self._committed.get(partition) != state
        }:
            try:
                await self._send(changed)
            except BaseException:
                self.is_behind = True
                raise
        self._committed.update(changed)
        self.is_behind = False

    async def _send(self, changed: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        committed, self._committed = self._committed, {}  # unknown until the broker answers
        self._sending = asyncio.ensure_future(self._client.commit(changed))
        try:
            with translated_errors():
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                    await asyncio.shield(self._sending)
        except BrokerUnreachable as error:
            match error.__cause__:
                case CommitFailedError():
                    raise NotAMember from error
                case IllegalStateError() | asyncio.CancelledError():
                    raise CommitRefused from error
            raise
        finally:
            self._sending.cancel()
            self._sending = None
        self._committed = committed

    def give_up(self) -> None:
        """Cancels the commit in flight, if any: the next one includes it."""
        if self._sending:
            self._sending.cancel()
