"""What one partition has in flight and how far it may be committed: for brokers that commit one position. Pure."""

from base64 import b64decode, b64encode

SPAN = 16_384  # positions past the watermark; as a bitmap 2.7 KB of base64, within Kafka's 4 KB of metadata


class PartitionWindow:
    """Positions are consecutive integers. What is finished above the watermark and how often each unfinished one was
    begun travels in the commit's metadata, so that neither a restart nor a rebalance pays again for finished work."""

    def __init__(self, watermark: int, metadata: str = "") -> None:
        """Goes on from a commit: the first unfinished position, and what `metadata()` said then."""
        self.watermark = watermark
        self.next = watermark
        self._finished, self._starts = _unpack(watermark, metadata)
        self._in_flight: set[int] = set()

    @property
    def is_full(self) -> bool:
        return self.next - self.watermark >= SPAN

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def take(self, position: int) -> int | None:
        """Hand out `position`: how often it was begun before, or None if it is finished or in flight."""
        self.next = max(self.next, position + 1)
        if position < self.watermark or position in self._finished or position in self._in_flight:
            return None
        self._in_flight.add(position)
        return self._starts.get(position, 0)

    def set_starts(self, position: int, starts: int) -> None:
        if starts:
            self._starts[position] = starts
        else:
            self._starts.pop(position, None)

    def finish(self, position: int) -> None:
        """Harmless when repeated."""
        self._in_flight.discard(position)
        self._starts.pop(position, None)
        if position >= self.watermark:
            self._finished.add(position)
        while self.watermark in self._finished:
            self._finished.remove(self.watermark)
            self.watermark += 1
        self.next = max(self.next, self.watermark)

    def give_back(self, position: int) -> None:
        """It will be handed out again."""
        self._in_flight.discard(position)
        self.next = min(self.next, position)

    def metadata(self) -> str:
        """ASCII, at most 3 KB with some hundred begun ones."""
        bits = 0
        for position in self._finished:
            bits |= 1 << (position - self.watermark)
        bitmap = b64encode(bits.to_bytes((bits.bit_length() + 7) // 8, "little")).decode()
        starts = ",".join(f"{at - self.watermark}:{count}" for at, count in sorted(self._starts.items()))
        return f"{bitmap}|{starts}" if bitmap or starts else ""


def _unpack(watermark: int, metadata: str) -> tuple[set[int], dict[int, int]]:
    bitmap, _, starts = metadata.partition("|")
    bits = int.from_bytes(b64decode(bitmap), "little")
    finished = {watermark + at for at in range(bits.bit_length()) if bits >> at & 1}
    pairs = (pair.split(":") for pair in starts.split(",") if pair)
    return finished, {watermark + int(at): int(count) for at, count in pairs}
