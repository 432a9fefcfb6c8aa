"""Views of topic lists and histories: short, complete, and safe for any input."""

import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from topicflow.views.history_table import event_name, history_table
from topicflow.views.totals_view import MAX_VALUES, filters_view, stats_view
from topicflow.views.usage_table import usage_table

SUBMITTED = {"event": "TopicSubmitted", "attempt": 1, "time": "2026-02-28T14:05:00Z"}
FAILED = {
    **SUBMITTED,
    "event": "SubmissionFailed",
    "worker": "worker-1",
    "model": "gemini-9",
    "tokens_in": 1519,
    "tokens_out": 0,
    "cost": 0.000125,
    "error": "blocked [by]\n\x1b[31msafety",
}
STATS: dict[str, Any] = {
    "total_topics": 1234,
    "completed": 1200,
    "failed": 30,
    "success_rate": 97.56,
    "average_seconds": 3.2,
    "by_category": {"databases": 7, "[red]": 1193},
    "by_complexity": {"expert": 1200},
    "simulated": False,
}


AMOUNTS: dict[str, Any] = {
    "calls": 1234.5,
    "unpriced_calls": 0,
    "tokens_in": 70_000,
    "tokens_out": 9_000,
    "tokens_cached": 0,
    "tokens_thought": 1_000,
    "cost": 1.25,
}
TODAY: dict[str, Any] = {
    **AMOUNTS,
    "day": "2026-02-28",
    "kind": "topic",
    "model": "[red]gemini-9",
    "simulated": False,
    "wasted": {"repeated": {**AMOUNTS, "calls": 0.2}, "cut_off": {**AMOUNTS, "calls": 3}},
}


def _drawn(view: RenderableType, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _words(drawn: str) -> list[list[str]]:
    return [line.split() for line in drawn.splitlines()]


def test_an_event_is_a_line_with_its_cost_and_error() -> None:
    drawn = _drawn(history_table([SUBMITTED, FAILED]))
    header, submitted, failed = _words(drawn)
    assert header == ["Time", "Event", "Attempt", "Worker", "Model", "Tokens", "in/out", "Cost", "Error"]
    assert submitted[2:] == ["submitted", "1"]
    assert failed[2:8] == ["failed", "1", "worker-1", "gemini-9", "1,519", "/"]
    assert failed[8:] == ["0", "0.000125", "blocked", "[by]", "\ufffd[31msafety"]


@pytest.mark.parametrize("width", [80, 120])
def test_a_long_error_is_shown_completely_on_a_narrow_terminal(width: int) -> None:
    error = "".join(f"word{n}" for n in range(60))
    drawn = _drawn(history_table([{**FAILED, "error": error}]), width)
    column = drawn.splitlines()[0].index("Error") if width == 120 else drawn.splitlines()[1].index("Error")
    assert "".join(line[column:].strip() for line in drawn.splitlines()).removeprefix("Error") == error


def test_columns_without_a_value_are_left_out() -> None:
    assert _words(_drawn(history_table([SUBMITTED])))[0] == ["Time", "Event", "Attempt"]


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("TopicSubmitted", "submitted"),
        ("SubmissionParked", "parked"),
        ("TopicRemoved", "removed"),
        ("ArticleAnnotated", "annotated"),
        ("ForgetArticle", "forget"),
        ("New", "new"),
    ],
)
def test_events_have_short_names(event: str, name: str) -> None:
    assert event_name(event) == name


def test_stats_show_the_rate_the_time_and_the_most_frequent_first() -> None:
    drawn = _drawn(stats_view(STATS))
    for text in ("1,234", "97.56 % of finished topics", "3 s from start to completion", "real"):
        assert text in drawn
    assert drawn.index("[red]") < drawn.index("databases")


def test_without_ended_topics_no_rate_and_no_time_are_shown() -> None:
    nothing = dict.fromkeys(("total_topics", "completed", "failed", "success_rate", "average_seconds"), 0)
    drawn = _drawn(stats_view({**nothing, "by_category": {}, "by_complexity": {}, "simulated": None}))
    assert "no topic has finished yet" in drawn
    for absent in ("%", "Average", "Category"):
        assert absent not in drawn


def test_usage_shows_cost_waste_and_its_reasons() -> None:
    usage = {"days": [TODAY], "total": AMOUNTS, "wasted": AMOUNTS, "since": "2026-01-30"}
    words = _words(_drawn(usage_table(usage)))
    assert words[1] == [
        *("2026-02-28", "topic", "[red]gemini-9", "1,234.5", "70,000", "10,000", "$1.2500", "0.2", "repeated,", "3"),
        "cut_off",
    ]
    assert len(words) == 2


def test_usage_shows_whose_price_was_used_for_an_unknown_model() -> None:
    usage = {"days": [{**TODAY, "priced_as": "gemini-3"}], "total": AMOUNTS, "wasted": AMOUNTS, "since": "2026-01-30"}
    assert "priced as gemini-3" in _drawn(usage_table(usage))


def test_usage_of_several_days_has_a_sum_and_marks_simulated_and_unpriced_usage() -> None:
    simulated = {**TODAY, "simulated": True, "unpriced_calls": 1234.5, "wasted": {}}
    total = {**AMOUNTS, "unpriced_calls": 1234.5, "calls": 2469}
    usage = {"days": [TODAY, simulated], "total": total, "wasted": {**AMOUNTS, "calls": 3.2}, "since": "2026-01-30"}
    drawn = _drawn(usage_table(usage))
    for text in ("(simulated)", "no price", "≥ $1.2500", "3.2 of $1.2500", "cost nothing"):
        assert text in drawn


def test_without_usage_the_start_of_the_period_is_shown() -> None:
    assert "No spend since 2026-01-30." in _drawn(usage_table({"days": [], "since": "2026-01-30"}))


def test_filters_are_shown_by_their_options_and_long_lists_are_cut() -> None:
    many = [f"tag{n}" for n in range(MAX_VALUES + 950)]
    view = filters_view({"companies": ["A, B", "\x1b[2JC"], "tags": many, "technologies": []})
    assert view
    drawn = _drawn(view)
    assert ["--company", "A,", "B", "·", "\ufffd[2JC"] in _words(drawn)
    assert f"tag{MAX_VALUES - 1} … and 950 more" in " ".join(drawn.split())
    assert f"tag{MAX_VALUES} " not in drawn
    assert "--technology" not in drawn
    assert filters_view({"companies": []}) is None
