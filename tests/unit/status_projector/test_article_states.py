"""An article in the projection: two steps, one submission, in any order of its streams."""

from datetime import timedelta
from itertools import permutations
from typing import Any

from unit.status_projector.histories import BEGAN, Row, TimedEvent

from shared.events import (
    IMPORT,
    SCAN,
    ArticleAnnotated,
    ArticleSubmitted,
    CatalogScanRequested,
    SubmissionCompleted,
    SubmissionEvent,
    SubmissionStarted,
    Usage,
)
from shared.ids import article_id, scan_id
from status_projector.ledger import ledger_entries
from status_projector.rows import ended_as
from status_projector.submission_state import State, advance

URN = "urn:article:coffee"
ATTRIBUTES: dict[str, Any] = {"id": article_id(URN), "attempt": 1, "urn": URN, "submitted_at": BEGAN}
PAID = Usage(call_id="c", model="m", prompt_version="1", tokens_in=10, tokens_out=20, seconds=1.0)
SUBMITTED = ArticleSubmitted(**ATTRIBUTES, submitted_by="local")
ANNOTATED = ArticleAnnotated(
    **ATTRIBUTES, run="first", worker="w", annotation={"a": 1}, annotated_at=BEGAN, input_hash="h", usage=(PAID,)
)
RESULT = {"a": 1, "input_hash": "h"}


def started(run: str) -> SubmissionStarted:
    return SubmissionStarted(**ATTRIBUTES, kind="article", run=run, worker=f"worker of {run}")


COMPLETED = SubmissionCompleted(**ATTRIBUTES, kind="article", run="second", worker="w", content=RESULT)
EVENTS: list[SubmissionEvent] = [SUBMITTED, started("first"), ANNOTATED, started("second"), COMPLETED]


def project(*timed: TimedEvent) -> Row:
    row = Row(State(article_id(URN), "article", 0))
    for one in timed:
        if changed := advance(row.state, one.event, one.time):
            row.content = changed.content
    return row


def timed(*events: SubmissionEvent) -> list[TimedEvent]:
    return [TimedEvent(event, BEGAN + timedelta(seconds=EVENTS.index(event))) for event in events]


def test_an_article_is_processing_while_it_is_annotated_and_written_then_completed() -> None:
    shown = [project(*timed(*EVENTS[:n])).state.status for n in range(1, 6)]
    assert shown == ["pending", "processing", "processing", "processing", "completed"]


def test_the_row_is_the_same_in_any_order_of_the_streams() -> None:
    in_order = project(*timed(*EVENTS))
    assert (in_order.state.title, in_order.content) == (URN, RESULT)
    for order in permutations(EVENTS):
        assert project(*timed(*order)) == in_order


def test_a_paid_annotation_is_not_wasted_although_it_completes_nothing() -> None:
    [paid] = ledger_entries(ANNOTATED, BEGAN)
    assert (paid.kind, paid.run, paid.wasted) == ("article", "first", "")


def test_a_scan_shows_the_progress_of_its_pages_in_any_order() -> None:
    attributes: dict[str, Any] = {"id": scan_id("scan 7"), "scan": "scan 7", "submitted_at": BEGAN}
    pages = [
        CatalogScanRequested(**attributes, attempt=1),
        CatalogScanRequested(**attributes, attempt=2, after="urn:a", seen=50, submitted=50),
        CatalogScanRequested(**attributes, attempt=3, after="urn:b", seen=100, submitted=70),
    ]
    total = {"pages": 3, "seen": 120, "submitted": 75}
    end = SubmissionCompleted(
        id=scan_id("scan 7"), attempt=3, kind="scan", submitted_at=BEGAN, run="r", worker="w", content=total
    )
    shown = [project(*[TimedEvent(page, BEGAN) for page in pages[:n]]) for n in (1, 2, 3)]
    assert [row.content for row in shown] == [None, *(page.progress for page in pages[1:])]
    assert [row.state.attempt for row in shown] == [1, 2, 3]
    rows = [project(*[TimedEvent(event, BEGAN) for event in order]) for order in permutations([*pages, end])]
    assert all(row == rows[0] for row in rows)
    assert (rows[0].state.status, rows[0].state.title, rows[0].content) == ("completed", "scan 7", total)


def test_worker_counts_include_only_attempts_that_workers_ended() -> None:
    skipped = COMPLETED.model_copy(update={"content": None, "skipped": True})
    imported = [skipped.model_copy(update={"worker": name}) for name in (IMPORT, SCAN)]
    assert [ended_as(event) for event in (COMPLETED, skipped, *imported)] == ["processed", "skipped", None, None]
