"""What a reader that is far behind reads next: one partition after the other, the streams of each by their times."""

from collections import deque

from aiokafka import TopicPartition

from shared.transport.kafka.member import Member, Records

CHUNK = 50  # records: so far one stream gets ahead of another


class ByTime:
    """Batches of different partitions can be stored at a time; and what became of a submission is read together with
    it, so that its row is written once. Only of what has come already."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._times: dict[TopicPartition, int] = {}  # of what was read last, in milliseconds
        self._offsets: dict[TopicPartition, int] = {}  # of what comes next
        self._turns: deque[int] = deque()  # partitions
        self.has_more = False  # than was read in the turns so far

    def begin(self, found: Records) -> None:
        """All partitions have a turn, last those of which this was just found: that is still being stored."""
        last = {place.partition for place in found}
        partitions = {place.partition for place in self._member.client.assignment()}
        self._turns.extend(sorted(partitions, key=lambda partition: (partition in last, partition)))
        self.has_more = False

    def goes_on(self, place: TopicPartition, offset: int, time: int = 0) -> None:
        """It is read from here, after a record of that time."""
        self._times[place], self._offsets[place] = time, offset

    async def next(self, limit: int) -> Records:
        """Of the partition whose turn it is; {} after the last one's. Raises NotPositioned, PositionsLost."""
        while self._turns:
            partition = self._turns.popleft()
            if found := await self._of(partition, limit):
                if number_of(found) == limit:
                    self._turns.append(partition)
                    self.has_more = True
                return found
        return {}

    async def _of(self, partition: int, limit: int) -> Records:
        """From that stream next which is furthest behind; until that one has more, but not here."""
        found: Records = {}
        left = {place for place in self._member.client.assignment() if place.partition == partition}
        while left and (room := limit - number_of(found)):
            place = min(left, key=lambda place: self._times.get(place, 0))
            if records := await self._member.at_hand_of(place, min(room, CHUNK)):
                found.setdefault(place, []).extend(records)
                self.goes_on(place, records[-1].offset + 1, records[-1].timestamp)
            elif self._has_more(place):
                self.has_more = True
                break
            else:
                left.remove(place)
        return found

    def _has_more(self, place: TopicPartition) -> bool:
        """The broker, as it said when something came last."""
        client = self._member.client
        end = client.highwater(place) if place in client.assignment() else None
        return end is not None and self._offsets.get(place, 0) < end


def number_of(records: Records) -> int:
    return sum(map(len, records.values()))
