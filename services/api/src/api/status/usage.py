"""GET /usage: spend per day, model and kind, including wasted calls; sums, at constant cost."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.access.scopes import require_scope
from api.dependencies import Projection, Workers
from shared.events import TOKENS
from shared.llm.quota_day import day_of

router = APIRouter()
LONGEST = 366  # days
SUMS = ("sixtieths", "unpriced_sixtieths", "nano_dollars", *TOKENS)
Key = tuple[str, str, str, str, bool]  # day, kind, model, priced_as, simulated
Reasons = dict[str, Counter[str]]  # sums by reason of waste, "" if not wasted


class Amounts(BaseModel):
    """`cost`: US dollars, for calls whose price is known; the others are counted in `unpriced_calls`."""

    calls: float  # topics that share a call count fractions of it
    unpriced_calls: float
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    tokens_thought: int
    cost: float


class DailyUsage(Amounts):
    """`day`: in California time, as Google counts. `priced_as`: the model whose price was used because that of `model`
    is unknown. `wasted`: the wasted part, by reason."""

    day: str
    kind: str
    model: str
    priced_as: str | None
    simulated: bool
    wasted: dict[str, Amounts]


class UsageReport(BaseModel):
    days: list[DailyUsage]  # newest first
    total: Amounts
    wasted: Amounts
    since: str
    simulated: bool | None
    as_of: datetime | None
    projection_lag_seconds: float | None


@router.get("/usage", dependencies=[require_scope("read")])
async def usage(
    projection: Projection, workers: Workers, days: Annotated[int, Query(ge=1, le=LONGEST)] = 30
) -> UsageReport:
    """Usage of the last `days` days, including today."""
    age = await projection.freshness()
    since = (date.fromisoformat(day_of(datetime.now(UTC))) - timedelta(days=days - 1)).isoformat()
    paid: dict[Key, Reasons] = {}
    for row in await projection.usage(since):
        sums = Counter({name: int(row[name]) for name in SUMS})
        key = (row["day"], row["kind"], row["model"], row["priced_as"], row["simulated"])
        paid.setdefault(key, {})[row["wasted"]] = sums
    return UsageReport(
        days=[_paid(key, reasons) for key, reasons in paid.items()],
        total=_amounts(sums for reasons in paid.values() for sums in reasons.values()),
        wasted=_amounts(sums for reasons in paid.values() for reason, sums in reasons.items() if reason),
        since=since,
        simulated=workers.simulated(),
        **age,
    )


def _paid(key: Key, reasons: Reasons) -> DailyUsage:
    day, kind, model, priced_as, simulated = key
    fields = {"day": day, "kind": kind, "model": model, "priced_as": priced_as or None, "simulated": simulated}
    wasted = {reason: _amounts([sums]) for reason, sums in reasons.items() if reason}
    amounts = _amounts(reasons.values()).model_dump()
    return DailyUsage(**fields, wasted=wasted, **amounts)


def _amounts(of: Iterable[Counter[str]]) -> Amounts:
    sums = Counter[str]()
    for some in of:
        sums.update(some)
    return Amounts(
        calls=round(sums["sixtieths"] / 60, 3),
        unpriced_calls=round(sums["unpriced_sixtieths"] / 60, 3),
        cost=sums["nano_dollars"] / 1e9,
        **{name: sums[name] for name in TOKENS},
    )
