"""Decides what a reader fetches next: normally whatever arrives; while it is far behind, one partition after the other,
merging the streams of each by time."""

from collections import deque
from collections.abc import Collection

from aiokafka import ConsumerRecord, TopicPartition

from shared.messaging.kafka.group_member import GroupMember, Records

CHUNK = 50  # records that one stream may be ahead of another


class FetchOrder:
    """Batches of different partitions can be stored concurrently, and a submission is read together with its
    outcome, so that its row is written once. Uses only records that have been fetched already."""

    def __init__(self, member: GroupMember) -> None:
        self._member = member
        self._times: dict[TopicPartition, int] = {}  # of the last record read, in milliseconds
        self._offsets: dict[TopicPartition, int] = {}  # of the next record
        self._queue: deque[int] = deque()  # partition numbers
        self._is_far_behind = False  # more records were available than were read

    def start_at(self, partition: TopicPartition, offset: int) -> None:
        self._times[partition], self._offsets[partition] = 0, offset

    def _mark_read(self, partition: TopicPartition, newest: ConsumerRecord) -> None:
        self._times[partition], self._offsets[partition] = newest.timestamp, newest.offset + 1

    async def next(self, limit: int, timeout: float) -> Records:
        """Raises BrokerUnreachable, NotPositioned, PositionsLost."""
        return await self._next_in_queue(limit) or await self._next_available(limit, timeout)

    async def _next_available(self, limit: int, timeout: float) -> Records:
        """Reads only a few while far behind, because these are not ordered by time."""
        limit = min(limit, CHUNK) if self._is_far_behind else limit
        records_by_partition = await self._member.poll(timeout, limit)
        for partition, records in records_by_partition.items():
            self._mark_read(partition, records[-1])
        self._is_far_behind = False
        if _count(records_by_partition) == limit:
            self._enqueue_all({partition.partition for partition in records_by_partition})
        return records_by_partition

    def _enqueue_all(self, last: Collection[int]) -> None:
        """Queues all partitions; those in `last` come last, because their batch is still being stored."""
        numbers = {partition.partition for partition in self._member.client.assignment()}
        self._queue.extend(sorted(numbers, key=lambda number: (number in last, number)))

    async def _next_in_queue(self, limit: int) -> Records:
        """Records of the next partition in the queue; {} at its end."""
        while self._queue:
            number = self._queue.popleft()
            if records_by_partition := await self._read_partition(number, limit):
                if _count(records_by_partition) == limit:
                    self._queue.append(number)
                    self._is_far_behind = True
                return records_by_partition
        return {}

    async def _read_partition(self, number: int, limit: int) -> Records:
        """Reads from the stream that is furthest behind, until its next records have not been fetched yet."""
        records_by_partition: Records = {}
        unread = {partition for partition in self._member.client.assignment() if partition.partition == number}
        while unread and (room := limit - _count(records_by_partition)):
            partition = min(unread, key=lambda unread_partition: self._times.get(unread_partition, 0))
            if records := await self._member.fetched_of(partition, min(room, CHUNK)):
                records_by_partition.setdefault(partition, []).extend(records)
                self._mark_read(partition, records[-1])
            elif self._has_more(partition):
                self._is_far_behind = True
                break
            else:
                unread.remove(partition)
        return records_by_partition

    def _has_more(self, partition: TopicPartition) -> bool:
        """Whether the broker had more records at the last fetch."""
        client = self._member.client
        end = client.highwater(partition) if partition in client.assignment() else None
        return end is not None and self._offsets.get(partition, 0) < end


def _count(records: Records) -> int:
    return sum(map(len, records.values()))
