"""One figure: measured, the hand-written limit, and its aim. Pure; `table.py` shows it."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure should be; None: no aim.

    `share`: of the limit, at least. `growth`: at most this multiple of the figure at the smaller size.
    """

    at_least: float | None = None
    at_most: float | None = None
    share: float | None = None
    growth: float | None = None

    def __str__(self) -> str:
        parts = {"≥ {:,g}": self.at_least, "≤ {:,g}": self.at_most}
        parts |= {"share ≥ {:g}": self.share, "growth ≤ {:g} x": self.growth}
        return ", ".join(text.format(value) for text, value in parts.items() if value is not None)


NO_AIM = Aim()


@dataclass(frozen=True, slots=True)
class Figure:
    """`limit`: the same by hand-written code, in the same run. `smaller`: measured at a smaller size."""

    what: str
    unit: str  # a rate ends in "/s" or "/h": more is better; of everything else less is
    measured: float
    limit: float | None = None
    smaller: float | None = None
    aim: Aim = NO_AIM

    @property
    def share(self) -> float | None:
        """Of the limit: 1 is as good as it."""
        if not self.limit or not self.measured:
            return None
        return self.measured / self.limit if self.unit.endswith(("/s", "/h")) else self.limit / self.measured

    @property
    def growth(self) -> float | None:
        return self.measured / self.smaller if self.smaller else None

    @property
    def is_missed(self) -> bool:
        """Whether it is not what it should be."""
        return (
            self.measured < (self.aim.at_least or 0)
            or (self.aim.at_most is not None and self.measured > self.aim.at_most)
            or (self.aim.share is not None and (self.share or 0) < self.aim.share)
            or (self.aim.growth is not None and (self.growth or 0) > self.aim.growth)
        )

    def as_json(self, name: str, again: str) -> dict[str, Any]:
        """`name`: the benchmark's; `again`: the command that measures it again."""
        derived = {"share": self.share, "growth": self.growth, "aim": str(self.aim), "is_missed": self.is_missed}
        return {"name": name} | asdict(self) | derived | {"again": again}
