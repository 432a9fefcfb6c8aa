"""Tracks the deliveries of one partition, for brokers that commit a single offset per partition. Pure."""

from base64 import b64decode, b64encode
from collections.abc import Iterable

SPAN = 8_192  # offsets past the watermark; the bitmap takes 1.4 KB of base64, within Kafka's 4 KB of metadata
MAX_IN_FLIGHT = 300  # per partition: their start counts take 1.6 KB at worst


class OffsetTracker:
    """The watermark is the first unfinished offset, which is what gets committed. The offsets that are finished
    above it, and how often each unfinished one was started, are stored in the commit's metadata, so that neither a
    restart nor a rebalance repeats finished work."""

    def __init__(self, watermark: int, metadata: str = "", in_flight: Iterable[int] = ()) -> None:
        """Resumes from a commit: the first unfinished offset and the `metadata()` committed with it.

        `in_flight`: offsets still being handled here since an earlier assignment; the commit wins if it says they are
        finished.
        """
        self.watermark = watermark
        self.next = watermark
        self._finished, self._starts = _unpack(watermark, metadata)
        self._in_flight = {at for at in in_flight if at >= watermark and at not in self._finished}

    @property
    def is_full(self) -> bool:
        return self.next - self.watermark >= SPAN or len(self._in_flight) >= MAX_IN_FLIGHT

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def finished(self) -> int:
        """Number of finished offsets above the watermark."""
        return len(self._finished)

    @property
    def held(self) -> int:
        """Number of unfinished offsets that members have started: those recorded by `set_starts`."""
        return len(self._starts)

    def absorb(self, earlier: "OffsetTracker") -> None:
        """Takes over what an earlier tracker saw finished, whether or not its commit arrived."""
        for position in range(self.watermark, earlier.watermark):
            self.finish(position)
        for position in earlier._finished:
            self.finish(position)

    @property
    def has_left_over(self) -> bool:
        """Whether an offset was started elsewhere and is not handed out here yet."""
        return not self._starts.keys() <= self._in_flight

    def holds(self, position: int) -> bool:
        """Whether the offset is in flight here."""
        return position in self._in_flight

    def take(self, position: int) -> int | None:
        """Hands out `position`: returns how often it was started before, or None if it is finished or in flight."""
        self.next = max(self.next, position + 1)
        if position < self.watermark or position in self._finished or position in self._in_flight:
            return None
        self._in_flight.add(position)
        return self._starts.get(position, 0)

    def set_starts(self, position: int, starts: int) -> None:
        """Records the start count of an offset that is in flight here; ignored if it has finished since."""
        if position in self._in_flight:
            self._starts[position] = starts

    def finish(self, position: int) -> None:
        """Marks an offset as finished. Idempotent."""
        self._in_flight.discard(position)
        self._starts.pop(position, None)
        if position >= self.watermark:
            self._finished.add(position)
        while self.watermark in self._finished:
            self._finished.remove(self.watermark)
            self.watermark += 1
        self.next = max(self.next, self.watermark)

    def give_back(self, position: int) -> None:
        """Releases an offset, to be handed out again unless it has finished since."""
        if position in self._in_flight:
            self._in_flight.remove(position)
            if not self._starts.get(position):
                self._starts.pop(position, None)
            self.next = min(self.next, position)

    def metadata(self) -> str:
        """ASCII, at most 3 KB: a bitmap of the finished offsets, then `distance from the previous:starts` for each
        started one."""
        bits = 0
        for position in self._finished:
            bits |= 1 << (position - self.watermark)
        bitmap = b64encode(bits.to_bytes((bits.bit_length() + 7) // 8, "little")).decode()
        starts, last = [], self.watermark
        for position, count in sorted(self._starts.items()):
            starts.append(f"{position - last}:{count}")
            last = position
        return f"{bitmap}|{','.join(starts)}" if bitmap or starts else ""


def _unpack(watermark: int, metadata: str) -> tuple[set[int], dict[int, int]]:
    bitmap, _, pairs = metadata.partition("|")
    bits = int.from_bytes(b64decode(bitmap), "little")
    finished = {watermark + at for at in range(bits.bit_length()) if bits >> at & 1}
    starts, position = {}, watermark
    for pair in pairs.split(",") if pairs else ():
        step, _, count = pair.partition(":")
        position += int(step)
        starts[position] = int(count)
    return finished, starts
