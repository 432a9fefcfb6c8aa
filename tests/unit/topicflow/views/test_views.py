"""Views are safe for any input: it cannot move the cursor, colour the screen or break a line."""

import io
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console, RenderableType

from local_processes.plain_text import one_line, plain
from topicflow.actions.status import status_view
from topicflow.actions.system_state import SystemState
from topicflow.client.topics import topic_path
from topicflow.views.article_view import article_view
from topicflow.views.display import PlainDisplay, display_on
from topicflow.views.progress import ProgressLine
from topicflow.views.sending import Sending
from topicflow.views.submissions_table import submissions_table, total_line
from topicflow.views.times import ago, duration, local_time
from topicflow.views.topic_card import topic_card


def _drawn(view: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _state(**changes: Any) -> SystemState:
    counts = {"pending_count": 1, "processing_count": 0, "completed_count": 1234, "failed_count": 0}
    return SystemState(counts | changes, {"worker_running": True, "message": "running", "workers": []})


def test_control_characters_overrides_and_surrogates_are_replaced() -> None:
    assert plain("a\x1b[2Jb\x9bc\u202ed\ud800e\tf\ng") == "a\ufffd[2Jb\ufffdc\ufffdd\ufffde\tf\ng"
    assert plain("naïve 日本語 👩\u200d🔬") == "naïve 日本語 👩\u200d🔬"
    assert one_line(" a\n\tb ") == "a b"


def test_a_card_is_shown_completely_and_its_markup_is_only_text() -> None:
    content = {
        "title": "[red]Raft[/red]",
        "description": "Leaders. [bold]not bold",
        "category": "databases",
        "tags": ["a", "b"],
        "learning_objectives": ["one", "two"],
        "metrics": {"scale": "large", "latency": "low"},
    }
    topic = {"id": "1", "title": "raft\x1b]0;x\x07", "status": "completed", "simulated": True, "content": content}
    card = _drawn(topic_card(topic))
    for text in ("[red]Raft[/red]", "[bold]not bold", "a, b", "• one", "Learning objectives", "Latency", "simulator"):
        assert text in card
    assert "\x1b" not in card


def test_a_failed_topic_shows_its_error() -> None:
    assert "no [markup] here" in _drawn(
        topic_card({"title": "x", "status": "failed", "error_message": "no [markup] here"})
    )


def test_the_list_shows_complete_titles_and_ids() -> None:
    key = "90854226-d4ce-58ec-b4b5-06b0c2d3c460"
    drawn = _drawn(submissions_table([{"id": key, "title": "long " * 30, "status": "pending"}]))
    assert key in drawn
    assert drawn.count("long") == 30
    assert total_line({"total_count": 20_000}, 1) == "1 of 20,000"
    assert total_line({"total_count": 20_000, "total_count_capped": True}, 1) == "1 of more than 20,000"


def test_status_shows_article_counts_and_a_pause_of_their_workers() -> None:
    worker = {"processed": 1200, "failed": 2, "skipped": 0, "running": True}
    state = replace(_state(), health={"worker": worker})
    assert "1,200 processed, 2 failed, 0 skipped" in _drawn(status_view(state, "here"))
    paused = worker | {"waiting_for": {"reason": "paused", "since": "2026-11-29T06:00:00Z"}}
    assert "waiting: paused, since" in _drawn(status_view(replace(state, health={"worker": paused}), "here"))
    dead = worker | {"running": False}
    assert "no enricher is running" in _drawn(status_view(replace(state, health={"worker": dead}), "here"))
    assert "Articles" not in _drawn(status_view(_state(), "here"))


def test_status_shows_problems_and_the_reason_for_waiting() -> None:
    problem = {"service": "topic-worker", "code": "model_retired", "text": "gemini-2.5-flash was shut down"}
    waiting = {"reason": "unavailable", "since": None, "until": None, "message": "no such model at http://x (404)"}
    state = replace(_state(waiting_for=waiting), health={"problems": [problem, {**problem, "service": "enricher"}]})
    drawn = _drawn(status_view(state, "here"))
    assert drawn.count("gemini-2.5-flash was shut down") == 1
    assert "unavailable: no such model at http://x (404)" in drawn


def test_an_article_shows_its_status_and_annotation_without_markup() -> None:
    result = {
        "keywords": ["[red]coffee[/red]", "sleep"],
        "study_type": "Meta-analysis",
        "evaluation": {"user_value_score": 4, "verdict": ["useful"]},
        "annotations": {"abstract": "Plainly said."},
    }
    article = {"urn": "urn:article:coffee", "status": "completed", "result": result, "simulated": True}
    drawn = _drawn(article_view(article))
    for text in (
        "urn:article:coffee",
        "[red]coffee[/red], sleep",
        "Meta-analysis",
        "Verdict",
        "Plainly said.",
        "simulator",
    ):
        assert text in drawn
    assert "\x1b" not in drawn


def test_a_title_can_be_used_as_an_id() -> None:
    key = "90854226-d4ce-58ec-b4b5-06b0c2d3c460"
    assert topic_path(key) == f"/topics/{key}"
    assert topic_path("17") == "/topics/17"
    assert topic_path("Chat  system") == topic_path(" chat System")
    assert "/" not in topic_path("../../x").removeprefix("/topics/")


def test_status_shows_counts_simulation_and_the_reason_for_waiting() -> None:
    state = _state(
        simulated=True, waiting_for={"reason": "quota", "since": None, "until": None}, projection_lag_seconds=7
    )
    drawn = _drawn(status_view(state, "http://127.0.0.1:8000"))
    for text in ("1,234 completed", "1 pending", "simulated", "quota", "as of 7 s ago", "http://127.0.0.1:8000"):
        assert text in drawn
    assert state.line == "1 pending, 0 processing, 1234 completed, 0 failed; waiting: quota"


def test_a_missing_worker_is_shown_everywhere() -> None:
    state = SystemState({"pending_count": 1}, {"worker_running": False, "message": "No worker since 12:00"})
    assert "No worker since 12:00" in _drawn(status_view(state, "u"))
    assert "no worker is running" in state.line
    assert state.waiting == "no worker is running"


def test_refused_work_and_an_old_backlog_are_shown_and_a_young_one_is_not() -> None:
    lag = {
        "status-projector": {"waiting": 9, "in_flight": 0, "oldest_seconds": None},
        "topic-worker": {"waiting": 41_210, "in_flight": 30, "oldest_seconds": 310.2},
    }
    full = replace(_state(), health={"no_room": "The broker's memory is 83% full", "lag": lag})
    drawn = _drawn(status_view(full, "u"), width=120)
    assert "new work is refused: The broker's memory is 83% full" in drawn
    assert "topic-worker: 41,210 waiting, 30 in flight, the oldest for 5 min" in drawn
    assert "status-projector" not in drawn
    assert full.line.endswith("; new work is refused: The broker's memory is 83% full")
    young = replace(full, health={"no_room": None, "lag": {"topic-worker": {"oldest_seconds": 2.0}}})
    for absent in ("Overload", "Backlog", "refused"):
        assert absent not in _drawn(status_view(young, "u")) + young.line


def test_waiting_while_sending_is_shown() -> None:
    sending = Sending(1200, "titles", lambda _: None, sent=500)
    assert sending.full_line == "500 of 1,200 titles sent"
    sending.pause("no room")
    assert "Waiting: no room" in _drawn(sending.view)
    sending.advance_to(1000)
    assert "no room" not in sending.full_line + _drawn(sending.view)


def test_failures_are_listed_with_their_errors() -> None:
    failure = {"id": "1", "title": "Raft", "error_message": "blocked [by] safety", "created_at": "2026-01-01T00:00:00Z"}
    assert "blocked [by] safety" in _drawn(status_view(_state(recent_failures=[failure]), "u"))


def test_progress_shows_number_rate_and_remaining_time() -> None:
    progress = ProgressLine(total=60, completed=28, failed=2, finished_here=20, seconds=10)
    assert progress.full_line == "28 of 60 completed, 2 failed; 2.0/s, 15 s left"
    assert "28 of 60 completed, 2 failed" in _drawn(progress.view)
    assert ProgressLine(total=60, completed=60, failed=0).full_line == "60 of 60 completed"
    assert not ProgressLine(total=60, completed=59, failed=0).is_over


def test_times_are_short() -> None:
    now = datetime.now(UTC)
    assert local_time(now.isoformat()) == now.astimezone().strftime("%H:%M:%S")
    assert local_time("2026-02-28T14:05:00Z").startswith("2026-0")
    assert local_time(None) == local_time("soon") == ""
    assert ago((now - timedelta(seconds=5)).isoformat()) == "5 s ago"
    assert ago((now + timedelta(seconds=5)).isoformat()) == "0.0 s ago"
    assert ago(None) == "never"
    assert [duration(s) for s in (0.42, 90, 300, 7200, 200_000)] == ["0.4 s", "90 s", "5 min", "2 h", "2 d"]


def test_without_a_terminal_only_changes_are_printed_and_not_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    display = display_on(Console(file=file))
    assert isinstance(display, PlainDisplay)
    clock = itertools.count(start=100, step=1.5)
    monkeypatch.setattr("topicflow.views.display.time.monotonic", lambda: next(clock))
    for line in ("one", "one", "two", "three", "x" * 300 + " [red]"):
        display.show("view", line)
    assert file.getvalue().splitlines() == ["one", "two", "x" * 300 + " [red]"]
