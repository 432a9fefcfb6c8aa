"""What tokens cost, by model: a setting, because prices change and differ by contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

GEMINI = "gemini-2.5-pro=1.25/10/0.125, gemini-2.5-flash=0.30/2.50/0.03, gemini-2.5-flash-lite=0.10/0.40/0.01"
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars a million tokens. Thoughts cost what answers cost."""

    tokens_in: float
    tokens_out: float
    tokens_cached: float


@dataclass(frozen=True, slots=True)
class Prices:
    by_model: Mapping[str, Price]

    @classmethod
    def of(cls, text: str) -> Self:
        """`model=in/out/cached, …`; what is cached costs what is not where it is left out. Raises ValueError."""
        by_model = {}
        for entry in filter(None, map(str.strip, text.split(","))):
            model, _, amounts = entry.partition("=")
            try:
                dollars = [float(amount) for amount in amounts.split("/")]
            except ValueError:
                dollars = []
            if not model.strip() or len(dollars) not in {2, 3} or not all(0 <= d < MILLION for d in dollars):
                raise ValueError(f"{entry[:100]!r} is not model=in/out/cached, in US dollars a million tokens")
            by_model[model.strip()] = Price(dollars[0], dollars[1], dollars[-1] if len(dollars) == 3 else dollars[0])
        return cls(by_model)

    def has(self, model: str) -> bool:
        return self._of(model) is not None

    def _of(self, model: str) -> Price | None:
        """A model is also what begins with its name, such as a dated version."""
        names = [name for name in self.by_model if model == name or model.startswith(f"{name}-")]
        return self.by_model[max(names, key=len)] if names else None

    def cost(
        self, model: str, *, tokens_in: int, tokens_out: int, tokens_cached: int, tokens_thought: int
    ) -> float | None:
        """US dollars; None where the model has no price. `tokens_in` includes what was cached."""
        if (price := self._of(model)) is None:
            return None
        fresh = max(0, tokens_in - tokens_cached)
        paid = fresh * price.tokens_in + tokens_cached * price.tokens_cached
        return (paid + (tokens_out + tokens_thought) * price.tokens_out) / MILLION
