"""What of a recorded snapshot is gone or changed, but for what the list of removals allows."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Lines = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Removals:
    """By surface and name, the reason. `removed` has happened, `announced` may have."""

    removed: Lines = field(default_factory=dict)
    announced: Lines = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Removals":
        lists = tomllib.loads(path.read_text("utf-8"))
        assert lists.keys() <= {"removed", "announced"}, f"{path.name} has other tables: {', '.join(lists)}"
        return cls(**lists)


def differences(recorded: Lines, present: Lines, removals: Removals) -> list[str]:
    """One line per difference, in the order of the record; additions are allowed. [] if there is none."""
    return [
        *_breaks(recorded, present, removals),
        *_false_lines(recorded, present, removals),
    ]


def _breaks(recorded: Lines, present: Lines, removals: Removals) -> Iterator[str]:
    for surface, lines in recorded.items():
        allowed = removals.removed.get(surface, {}).keys() | removals.announced.get(surface, {}).keys()
        for name, before in lines.items():
            now = present.get(surface, {}).get(name)
            if now == before or name in allowed:
                continue
            yield (
                f"gone from {surface}: {name} ({before})"
                if now is None
                else (f"changed in {surface}: {name} was {before!r} and is {now!r}")
            )


def _false_lines(recorded: Lines, present: Lines, removals: Removals) -> Iterator[str]:
    for kind, lists in (("removed", removals.removed), ("announced", removals.announced)):
        for surface, lines in lists.items():
            for name, reason in lines.items():
                line, before = f"{kind}.{surface}: {name}", recorded.get(surface, {}).get(name)
                if before is None:
                    yield f"the list has {line}, which was never recorded"
                elif kind == "removed" and present.get(surface, {}).get(name) == before:
                    yield f"the list has {line}, which is still there unchanged"
                if not reason.strip():
                    yield f"the list gives no reason for {line}"
