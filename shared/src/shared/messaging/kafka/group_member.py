"""A place in a Kafka group, the same for who settles and for who only reads: joining, polling, leaving."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError

from shared.messaging.kafka.admin.inspector import Observer
from shared.messaging.kafka.connection import PATIENCE, Cluster, gone, reaching

Records = dict[TopicPartition, list[ConsumerRecord]]
BEAT = 0.5  # seconds between heartbeats at most: so soon a member hears that partitions are dealt out anew
QUIET = 1.0  # seconds without a record after which the broker is asked whether it is there
NEVER = 2**31 - 1  # milliseconds; a full window is no sign of a stuck process, and /live knows one


class NotPositioned(Exception):
    """aiokafka takes a coordinator that is loading for one that has no positions: say again where to read."""


class Member:
    """`client` is aiokafka's, to seek, pause and commit with."""

    def __init__(
        self,
        cluster: Cluster,
        observer: Observer,
        group: str,
        streams: Sequence[str],
        assignor: Any,
        *,
        name: str | None,
        session_timeout: float,
    ) -> None:
        """`name`: of a static member, None is a dynamic one; `session_timeout`: seconds until it counts as dead."""
        self._observer = observer
        self._topics = [cluster.name(stream) for stream in streams]
        self._session_timeout = session_timeout
        self._heard = 0.0  # loop time
        self.client = AIOKafkaConsumer(
            **cluster.options,
            group_id=cluster.name(group),
            group_instance_id=name,
            partition_assignment_strategy=(assignor,),
            auto_offset_reset="none",
            enable_auto_commit=False,
            max_poll_interval_ms=NEVER,
            session_timeout_ms=int(session_timeout * 1000),
            heartbeat_interval_ms=int(min(session_timeout / 6, BEAT) * 1000),
            rebalance_timeout_ms=int(session_timeout * 1000),
            metadata_max_age_ms=30_000,
        )

    async def open(self, listener: ConsumerRebalanceListener) -> None:
        """Raises BrokerUnreachable. A dead member of the group is waited for."""
        self.client.subscribe(self._topics, listener=listener)
        try:
            with reaching():
                async with asyncio.timeout(PATIENCE + 2 * self._session_timeout):
                    await self.client.start()
        except BaseException:
            await self.close()
            raise

    async def at_hand(self, places: Sequence[TopicPartition], limit: int) -> Records:
        """Of what has come already: an equal share of each partition first, so that a long one holds back no other;
        then, first to last, what there is room for. Raises NotPositioned, PositionsLost."""
        found: Records = {}
        left = limit
        for share in (max(1, limit // max(1, len(places))), limit):
            for place in places if left and (found or share < limit) else ():
                for records in (await self._getmany(place, timeout=0, limit=min(share, left))).values():
                    found.setdefault(place, []).extend(records)
                    left -= len(records)
                if not left:
                    return found
        return found

    async def at_hand_of(self, place: TopicPartition, limit: int) -> list[ConsumerRecord]:
        """Of what has come already. Raises NotPositioned, PositionsLost."""
        return (await self._getmany(place, timeout=0, limit=limit)).get(place, [])

    async def poll(self, timeout: float, limit: int | None = None) -> Records:
        """What has come within so many seconds.

        Raises BrokerUnreachable also where nothing comes because nobody is there, NotPositioned, PositionsLost.
        """
        found = await self._getmany(timeout=timeout, limit=limit)
        now = asyncio.get_running_loop().time()
        if not found and now - self._heard > QUIET:
            await self._observer.ends(list(self.client.assignment()))
        if found or now - self._heard > QUIET:
            self._heard = now
        return found

    async def _getmany(self, *places: TopicPartition, timeout: float, limit: int | None) -> Records:
        """Alone, `getmany` waits for the end of a rebalance, however long."""
        try:
            async with asyncio.timeout(timeout + 0.1):
                with reaching(NoOffsetForPartitionError):
                    found = await self.client.getmany(*places, timeout_ms=int(timeout * 1000), max_records=limit)
        except NoOffsetForPartitionError as error:
            raise NotPositioned from error
        except TimeoutError:
            return {}
        return dict(found)

    async def close(self) -> None:
        """A dynamic member leaves; a static one only disconnects."""
        await gone(self.client.stop())
