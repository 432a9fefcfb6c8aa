"""What a reader reads next: whatever comes; while it is far behind, one partition after the other, the streams of each
by their times."""

from collections import deque
from collections.abc import Collection

from aiokafka import ConsumerRecord, TopicPartition

from shared.messaging.kafka.group_member import Member, Records

CHUNK = 50  # records: so far one stream gets ahead of another


class ByTime:
    """Batches of different partitions can be stored at a time; and what became of a submission is read together with
    it, so that its row is written once. Only of what has come already."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._times: dict[TopicPartition, int] = {}  # of what was read last, in milliseconds
        self._offsets: dict[TopicPartition, int] = {}  # of what comes next
        self._turns: deque[int] = deque()  # partitions
        self._is_far_behind = False  # there was more than was read in the turns so far

    def begin_at(self, place: TopicPartition, offset: int) -> None:
        self._times[place], self._offsets[place] = 0, offset

    def _was_read(self, place: TopicPartition, newest: ConsumerRecord) -> None:
        self._times[place], self._offsets[place] = newest.timestamp, newest.offset + 1

    async def next(self, limit: int, timeout: float) -> Records:
        """Raises BrokerUnreachable, NotPositioned, PositionsLost."""
        return await self._in_turn(limit) or await self._what_comes(limit, timeout)

    async def _what_comes(self, limit: int, timeout: float) -> Records:
        """While the reader is far behind little of it, for it is of any time."""
        limit = min(limit, CHUNK) if self._is_far_behind else limit
        found = await self._member.poll(timeout, limit)
        for place, records in found.items():
            self._was_read(place, records[-1])
        self._is_far_behind = False
        if _number_of(found) == limit:
            self._begin({place.partition for place in found})
        return found

    def _begin(self, last: Collection[int]) -> None:
        """All partitions have a turn, last these: they are still being stored."""
        partitions = {place.partition for place in self._member.client.assignment()}
        self._turns.extend(sorted(partitions, key=lambda partition: (partition in last, partition)))

    async def _in_turn(self, limit: int) -> Records:
        """Of the partition whose turn it is; {} after the last one's."""
        while self._turns:
            partition = self._turns.popleft()
            if found := await self._of(partition, limit):
                if _number_of(found) == limit:
                    self._turns.append(partition)
                    self._is_far_behind = True
                return found
        return {}

    async def _of(self, partition: int, limit: int) -> Records:
        """From that stream next which is furthest behind; until that one has more, but not here."""
        found: Records = {}
        left = {place for place in self._member.client.assignment() if place.partition == partition}
        while left and (room := limit - _number_of(found)):
            place = min(left, key=lambda place: self._times.get(place, 0))
            if records := await self._member.at_hand_of(place, min(room, CHUNK)):
                found.setdefault(place, []).extend(records)
                self._was_read(place, records[-1])
            elif self._has_more(place):
                self._is_far_behind = True
                break
            else:
                left.remove(place)
        return found

    def _has_more(self, place: TopicPartition) -> bool:
        """The broker, as it said when something came last."""
        client = self._member.client
        end = client.highwater(place) if place in client.assignment() else None
        return end is not None and self._offsets.get(place, 0) < end


def _number_of(records: Records) -> int:
    return sum(map(len, records.values()))
