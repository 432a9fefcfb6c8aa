"""Daily limits: of all workers, across restarts, with published and estimated usage."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import BudgetSpent, DailyQuota
from shared.events import Kind, UsageReported
from shared.llm import daily_limits as module
from shared.llm.daily_limits import NO_LIMIT, DailyLimits, UsedToday
from shared.llm.quota_day import day_of, end_of_day

TODAY = day_of(datetime.now(UTC))
YESTERDAY = day_of(datetime.now(UTC) - timedelta(days=1))


def totals(
    requests: float, *, tokens: int = 0, cost: float = 0, day: str = TODAY, kind: Kind = "topic", partition: int = 0
) -> UsageReported:
    fields = {"day": day, "kind": kind, "model": "m", "partition": partition}
    return UsageReported.model_validate(fields | {"requests": requests, "tokens": tokens, "cost": cost})


def daily_limits(limits: UsedToday, *events: UsageReported) -> DailyLimits:
    made = DailyLimits(limits, "topic")
    made.check(1.0)
    for one in events:
        made.on_usage_event(one)
    return made


def test_earlier_usage_of_all_partitions_counts() -> None:
    limits = daily_limits(UsedToday(requests=10, tokens=10**9, dollars=9), totals(6), totals(3.9, partition=1))
    limits.check(1.0)
    limits.on_usage_event(totals(4, partition=1))
    with pytest.raises(DailyQuota) as found:
        limits.check(1.0)
    assert found.value.until == end_of_day()


def test_a_budget_counts_the_cost_of_both_kinds_and_a_quota_only_its_own() -> None:
    articles = totals(1000, tokens=10**9, cost=0.6, kind="article")
    limits = UsedToday(requests=1000, tokens=10**9, dollars=1)
    daily_limits(limits, articles, totals(1, cost=0.3)).check(1.0)
    with pytest.raises(BudgetSpent, match="budget of 1 US dollars"):
        daily_limits(limits, articles, totals(1, cost=0.4)).check(1.0)


def test_tokens_of_a_day_are_counted() -> None:
    with pytest.raises(DailyQuota, match="tokens"):
        daily_limits(UsedToday(10**9, 500, 10**9), totals(1, tokens=500)).check(1.0)


def test_usage_of_yesterday_does_not_count_even_if_it_arrives_late() -> None:
    limits = UsedToday(10, 10**9, 10**9)
    daily_limits(limits, totals(99, day=YESTERDAY)).check(1.0)
    with pytest.raises(DailyQuota):
        daily_limits(limits, totals(10), totals(99, day=YESTERDAY)).check(1.0)


def test_an_older_value_that_arrives_later_changes_nothing() -> None:
    with pytest.raises(DailyQuota):
        daily_limits(UsedToday(10, 10**9, 10**9), totals(10), totals(9)).check(1.0)


def test_without_news_other_workers_are_assumed_to_use_their_share_equally() -> None:
    silent = daily_limits(UsedToday(10**9, 10**9, 1.0), totals(1, cost=0.2))
    for _ in range(4):
        silent.check(0.25)
        silent.spent(100, 0.05)
    silent.check(1.0)
    with pytest.raises(BudgetSpent):
        silent.check(0.25)


def test_a_call_counts_until_it_is_surely_part_of_the_published_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    limited = daily_limits(UsedToday(3, 10**9, 10**9))
    limited.spent(100, 0)
    limited.on_usage_event(totals(2))  # another's, and this one or not
    with pytest.raises(DailyQuota):
        limited.check(1.0)
    monkeypatch.setattr(module, "LATE", 0)
    limited.check(1.0)


def test_without_limits_everything_is_allowed() -> None:
    limits = daily_limits(NO_LIMIT, totals(10**9, tokens=10**12, cost=10**9))
    limits.spent(10**9, 10.0**9)
    limits.check(0.001)
    assert not limits.is_limited
