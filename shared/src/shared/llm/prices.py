"""Token prices: Google's, from the table maintained in `genai-prices`, overridden by TOPICFLOW_PRICES."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import structlog

from shared.events import Problem

log = structlog.get_logger()
MILLION = 1_000_000
_VERSION = re.compile(r"-(?:latest|(?:preview|exp)(?:-[\d-]+)?|\d[\d-]*)")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one call. `sent` includes `cached`; `answered` includes thoughts."""

    sent: int
    cached: int
    answered: int


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    tokens_in: float
    tokens_out: float
    tokens_cached: float

    def cost(self, tokens: Tokens) -> float:
        fresh = max(0, tokens.sent - tokens.cached)
        paid_in = fresh * self.tokens_in + tokens.cached * self.tokens_cached
        return (paid_in + tokens.answered * self.tokens_out) / MILLION


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars. `priced_as`: the model whose price was used because the answering one has none; else ""."""

    dollars: float
    priced_as: str = ""


class Prices:
    """A call is priced by the model that answered. If its price is unknown, the requested model's price is used, else
    the highest known price: the budget must count every call."""

    def __init__(self, own: Mapping[str, Price], requested: str) -> None:
        """`own`: prices by model that override Google's; `requested`: the model that is called."""
        self._own = own
        self._requested = requested
        self._substitutes: dict[str, str] = {}  # by model without a known price: the model whose price is used

    @classmethod
    def of(cls, text: str, requested: str) -> Self:
        """Parses `model=in/out/cached, …`; `cached` defaults to `in`. Raises ValueError."""
        own: dict[str, Price] = {}
        for number, entry in enumerate(filter(None, map(str.strip, text.split(","))), 1):
            model, _, amounts = entry.partition("=")
            try:
                dollars = [float(amount) for amount in amounts.split("/")]
            except ValueError:
                dollars = []
            if not model.strip() or len(dollars) not in {2, 3} or not all(0 <= d < MILLION for d in dollars):
                raise ValueError(f"entry {number}: expected model=in/out/cached in US dollars per million tokens")
            if model.strip() in own:
                raise ValueError(f"entry {number}: the model of an earlier entry again")
            own[model.strip()] = Price(dollars[0], dollars[1], dollars[-1] if len(dollars) == 3 else dollars[0])
        return cls(own, requested)

    def has(self, model: str) -> bool:
        return self._cost(model, Tokens(0, 0, 0)) is not None

    def cost(self, answered_by: str, tokens: Tokens) -> Cost:
        if (dollars := self._cost(answered_by, tokens)) is not None:
            return Cost(dollars)
        if (dollars := self._cost(self._requested, tokens)) is not None:
            cost = Cost(dollars, self._requested)
        else:
            cost = self._highest(tokens)
        if answered_by not in self._substitutes:
            self._substitutes[answered_by] = cost.priced_as
            log.warning("price_unknown", model=answered_by, priced_as=cost.priced_as)
        return cost

    @property
    def problems(self) -> list[Problem]:
        """The models that answered without a known price."""
        return [
            Problem(
                code="price_unknown",
                text=f"no price is known for {model}: its calls are priced as {priced_as}; "
                "set its price in TOPICFLOW_PRICES",
            )
            for model, priced_as in self._substitutes.items()
        ]

    def _cost(self, model: str, tokens: Tokens) -> float | None:
        """A price also applies to versions of its model, such as -001 and -preview-09-2026."""
        for name, price in self._own.items():
            if model == name or (model.startswith(name) and _VERSION.fullmatch(model, len(name))):
                return price.cost(tokens)
        return _googles_cost(model, tokens)

    def _highest(self, tokens: Tokens) -> Cost:
        known = [Cost(price.cost(tokens), model) for model, price in self._own.items()]
        googles = ((model.id, _googles_cost(model.id, tokens)) for model in _googles_models())
        known += [Cost(dollars, model) for model, dollars in googles if dollars is not None]
        return max(known, key=lambda cost: cost.dollars)


def _googles_cost(model: str, tokens: Tokens) -> float | None:
    from genai_prices import Usage, calc_price  # the import takes 0.3 s

    cached = min(tokens.cached, tokens.sent)
    usage = Usage(input_tokens=tokens.sent, cache_read_tokens=cached, output_tokens=tokens.answered)
    try:
        return float(calc_price(usage, model.removeprefix("models/"), provider_id="google").total_price)
    except LookupError:
        return None


def _googles_models() -> list[Any]:
    from genai_prices import data_snapshot

    [google] = [provider for provider in data_snapshot.get_snapshot().providers if provider.id == "google"]
    return [model for model in google.models if model.id.startswith("gemini-")]
