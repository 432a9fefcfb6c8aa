"""A point in the change feed, as opaque text: the id of a server-sent event."""

import re
from dataclasses import dataclass
from typing import Self

from api.errors import InvalidValue

LONGEST = 4_000  # characters; of 200 partitions with a million batches each 1,600
_TEXT = re.compile(r"[0-9a-f]{32}:(?:\d{1,18}(?:\.\d{1,18})*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ChangeCursor:
    """`versions`: by partition, see the table `positions`; 0: nothing of it is projected. Versions of different
    generations do not compare."""

    generation: str
    versions: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidValue."""
        if len(text) > LONGEST or not _TEXT.fullmatch(text):
            raise InvalidValue("last_event_id", "not an event id of this API")
        generation, _, versions = text.partition(":")
        return cls(generation, tuple(map(int, versions.split("."))) if versions else ())

    def __str__(self) -> str:
        return f"{self.generation}:{'.'.join(map(str, self.versions))}"

    def version_of(self, partition: int) -> int:
        return self.versions[partition] if partition < len(self.versions) else 0

    def covers(self, partition: int, version: int) -> bool:
        """Whether a change in this version is before this point."""
        return version <= self.version_of(partition)

    def continues(self, earlier: Self) -> bool:
        """Whether this is the same point or a later one."""
        if self.generation != earlier.generation:
            return False
        return all(self.version_of(partition) >= version for partition, version in enumerate(earlier.versions))
