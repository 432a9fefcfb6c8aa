"""Commits a member's offsets, with the state of its offset trackers as metadata."""

import asyncio
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata

from shared.errors import BrokerUnreachable
from shared.messaging.kafka.connection import REQUEST_TIMEOUT_SECONDS, translated_errors
from shared.messaging.offset_tracker import OffsetTracker

Windows = Mapping[TopicPartition, OffsetTracker]


class CommitRefused(Exception):
    """A rebalance is in progress."""


class NotAMember(CommitRefused):
    """The member has to rejoin the group, which aiokafka does by itself."""


class OffsetCommitter:
    """Sends one commit at a time, of what has changed; calls that arrive meanwhile share the next one."""

    def __init__(self, client: AIOKafkaConsumer, windows: Callable[[], Windows]) -> None:
        """`windows`: trackers of the owned partitions; none during a rebalance, because a commit of the next
        generation must not carry the state of this one."""
        self.is_behind = False  # something could not be committed
        self._client = client
        self._windows = windows
        self._known: dict[TopicPartition, OffsetAndMetadata] = {}
        self._one_at_a_time = asyncio.Lock()
        self._changes = self._stored = 0
        self._sending: asyncio.Future[None] | None = None

    def take_over(self, commits: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commits commits for the partitions owned from now on; the trackers know at least as much."""
        self._known = dict(commits)
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
        known, self._known = self._known, {}  # unknown until the broker answers
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
        self._known = known

    def give_up(self) -> None:
        """Cancels the commit in flight, if any: the next one includes it."""
        if self._sending:
            self._sending.cancel()
