"""Decides what a reader fetches next: whatever arrives; while it is far behind, one partition after the other,
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
        self._turns: deque[int] = deque()  # partitions
        self._is_far_behind = False  # more records were available than were read

    def begin_at(self, place: TopicPartition, offset: int) -> None:
        self._times[place], self._offsets[place] = 0, offset

    def _mark_read(self, place: TopicPartition, newest: ConsumerRecord) -> None:
        self._times[place], self._offsets[place] = newest.timestamp, newest.offset + 1

    async def next(self, limit: int, timeout: float) -> Records:
        """Raises BrokerUnreachable, NotPositioned, PositionsLost."""
        return await self._in_turn(limit) or await self._any(limit, timeout)

    async def _any(self, limit: int, timeout: float) -> Records:
        """Reads only a few while far behind, because these are not in order of time."""
        limit = min(limit, CHUNK) if self._is_far_behind else limit
        records_by_partition = await self._member.poll(timeout, limit)
        for place, records in records_by_partition.items():
            self._mark_read(place, records[-1])
        self._is_far_behind = False
        if _number_of(records_by_partition) == limit:
            self._begin({place.partition for place in records_by_partition})
        return records_by_partition

    def _begin(self, last: Collection[int]) -> None:
        """Queues all partitions, `last` at the end, because those are still being stored."""
        partitions = {place.partition for place in self._member.client.assignment()}
        self._turns.extend(sorted(partitions, key=lambda partition: (partition in last, partition)))

    async def _in_turn(self, limit: int) -> Records:
        """Records of the next partition in the queue; {} at its end."""
        while self._turns:
            partition = self._turns.popleft()
            if records_by_partition := await self._of(partition, limit):
                if _number_of(records_by_partition) == limit:
                    self._turns.append(partition)
                    self._is_far_behind = True
                return records_by_partition
        return {}

    async def _of(self, partition: int, limit: int) -> Records:
        """Reads from the stream that is furthest behind, until that one has more records which are not fetched yet."""
        records_by_partition: Records = {}
        left = {place for place in self._member.client.assignment() if place.partition == partition}
        while left and (room := limit - _number_of(records_by_partition)):
            place = min(left, key=lambda place: self._times.get(place, 0))
            if records := await self._member.fetched_of(place, min(room, CHUNK)):
                records_by_partition.setdefault(place, []).extend(records)
                self._mark_read(place, records[-1])
            elif self._has_more(place):
                self._is_far_behind = True
                break
            else:
                left.remove(place)
        return records_by_partition

    def _has_more(self, place: TopicPartition) -> bool:
        """Whether the broker had more records at the last fetch."""
        client = self._member.client
        end = client.highwater(place) if place in client.assignment() else None
        return end is not None and self._offsets.get(place, 0) < end


def _number_of(records: Records) -> int:
    return sum(map(len, records.values()))
