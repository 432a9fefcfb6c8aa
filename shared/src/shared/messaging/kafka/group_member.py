"""Membership of a Kafka consumer group, shared by consumer and reader: join, poll, leave."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError

from shared.messaging.kafka.admin.inspector import Inspector
from shared.messaging.kafka.connection import REQUEST_TIMEOUT_SECONDS, Cluster, close_quietly, translated_errors

Records = dict[TopicPartition, list[ConsumerRecord]]
MAX_HEARTBEAT_INTERVAL = 0.5  # seconds; a member notices a rebalance at its next heartbeat
PROBE_AFTER = 1.0  # seconds without a record
NO_POLL_LIMIT = 2**31 - 1  # milliseconds; a full offset tracker does not mean a stuck process, which /live detects


class NotPositioned(Exception):
    """aiokafka mistakes a coordinator that is loading for one without offsets: seek again."""


class GroupMember:
    """`client`: aiokafka's consumer, used to seek, pause and commit."""

    def __init__(
        self,
        cluster: Cluster,
        observer: Inspector,
        group: str,
        streams: Sequence[str],
        assignor: Any,
        *,
        name: str | None,
        session_timeout: float,
    ) -> None:
        """`name`: of a static member, or None for a dynamic one; `session_timeout`: seconds until it counts as dead."""
        self._observer = observer
        self._topics = [cluster.name(stream) for stream in streams]
        self._session_timeout = session_timeout
        self._answered_at = 0.0  # loop time
        self.client = AIOKafkaConsumer(
            **cluster.options,
            group_id=cluster.name(group),
            group_instance_id=name,
            partition_assignment_strategy=(assignor,),
            auto_offset_reset="none",
            enable_auto_commit=False,
            max_poll_interval_ms=NO_POLL_LIMIT,
            session_timeout_ms=int(session_timeout * 1000),
            heartbeat_interval_ms=int(min(session_timeout / 6, MAX_HEARTBEAT_INTERVAL) * 1000),
            rebalance_timeout_ms=int(session_timeout * 1000),
            metadata_max_age_ms=30_000,
        )

    async def open(self, listener: ConsumerRebalanceListener) -> None:
        """Joins the group; may have to wait until a dead member's session expires. Raises BrokerUnreachable."""
        self.client.subscribe(self._topics, listener=listener)
        try:
            with translated_errors():
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS + 2 * self._session_timeout):
                    await self.client.start()
        except BaseException:
            await self.close()
            raise

    async def fetched(self, partitions: Sequence[TopicPartition], limit: int) -> Records:
        """Records that have been fetched already: first an equal share of each partition, so that a busy one does not
        delay the others, then more in order of the partitions. Raises NotPositioned, PositionsLost."""
        records_by_partition: Records = {}
        left = limit
        for share in (max(1, limit // max(1, len(partitions))), limit):
            for partition in partitions if left and (records_by_partition or share < limit) else ():
                for records in (await self._getmany(partition, timeout=0, limit=min(share, left))).values():
                    records_by_partition.setdefault(partition, []).extend(records)
                    left -= len(records)
                if not left:
                    return records_by_partition
        return records_by_partition

    async def fetched_of(self, partition: TopicPartition, limit: int) -> list[ConsumerRecord]:
        """Records of one partition that have been fetched already. Raises NotPositioned, PositionsLost."""
        return (await self._getmany(partition, timeout=0, limit=limit)).get(partition, [])

    async def poll(self, timeout: float, limit: int | None = None) -> Records:
        """Records that arrive within `timeout` seconds.

        Raises BrokerUnreachable, also if nothing arrives because the broker is down; NotPositioned, PositionsLost.
        """
        records_by_partition = await self._getmany(timeout=timeout, limit=limit)
        now = asyncio.get_running_loop().time()
        if not records_by_partition and now - self._answered_at > PROBE_AFTER:
            await self._observer.ends(list(self.client.assignment()))
        if records_by_partition or now - self._answered_at > PROBE_AFTER:
            self._answered_at = now
        return records_by_partition

    async def _getmany(self, *partitions: TopicPartition, timeout: float, limit: int | None) -> Records:
        """With a timeout of its own, because `getmany` waits for the end of a rebalance however long it takes."""
        try:
            async with asyncio.timeout(timeout + 0.1):
                with translated_errors(NoOffsetForPartitionError):
                    records_by_partition = await self.client.getmany(
                        *partitions, timeout_ms=int(timeout * 1000), max_records=limit
                    )
        except NoOffsetForPartitionError as error:
            raise NotPositioned from error
        except TimeoutError:
            return {}
        return dict(records_by_partition)

    async def close(self) -> None:
        """A dynamic member leaves the group; a static one only disconnects."""
        await close_quietly(self.client.stop())
