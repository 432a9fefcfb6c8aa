"""An article in the projection: two steps, one submission, in any order of its streams."""

from datetime import timedelta
from itertools import permutations
from typing import Any

from factories import (
    BEGAN,
    URN,
    article_annotated,
    article_removed,
    article_submitted,
    completed,
    forget_article,
    started,
    usage,
)
from unit.status_projector.histories import Row, TimedEvent

from shared.events import IMPORT, SCAN, CatalogScanRequested, SubmissionEvent
from shared.ids import article_id, scan_id
from status_projector.ledger import ledger_entries
from status_projector.rows import ended_as
from status_projector.submission_state import State, advance

ANNOTATED = article_annotated(run="first", usage=(usage(),))
RESULT = {"a": 1, "input_hash": "h"}
COMPLETED = completed(run="second", urn=URN, content=RESULT)
EVENTS: list[SubmissionEvent] = [
    article_submitted(),
    started(run="first", urn=URN),
    ANNOTATED,
    started(run="second", urn=URN),
    COMPLETED,
]


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
    assert (in_order.state.name, in_order.content) == (URN, RESULT)
    for order in permutations(EVENTS):
        assert project(*timed(*order)) == in_order


def test_a_forgotten_article_is_hidden_in_any_order_of_the_streams() -> None:
    events = [article_submitted(), started(run="second", urn=URN), COMPLETED, forget_article(), article_removed()]
    rows = [project(*(TimedEvent(event, BEGAN) for event in order)) for order in permutations(events)]
    assert all(row == rows[0] for row in rows)
    assert (rows[0].state.status, rows[0].state.name, rows[0].content) == ("removed", None, None)


def test_a_row_of_which_only_the_request_to_forget_is_left_is_hidden_too() -> None:
    """Its removal was trimmed, and it was requeued."""
    of_its_run = started(run="forgetting", urn=URN)
    for order in permutations([forget_article(), of_its_run]):
        assert project(*(TimedEvent(event, BEGAN) for event in order)).state.status == "removed"


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
    end = completed(None, attempt=3, kind="scan", id=scan_id("scan 7"), content=total)
    shown = [project(*[TimedEvent(page, BEGAN) for page in pages[:n]]) for n in (1, 2, 3)]
    assert [row.content for row in shown] == [None, *(page.progress for page in pages[1:])]
    assert [row.state.attempt for row in shown] == [1, 2, 3]
    rows = [project(*[TimedEvent(event, BEGAN) for event in order]) for order in permutations([*pages, end])]
    assert all(row == rows[0] for row in rows)
    assert (rows[0].state.status, rows[0].state.name, rows[0].content) == ("completed", "scan 7", total)


def test_worker_counts_include_only_attempts_that_workers_ended() -> None:
    skipped = COMPLETED.model_copy(update={"content": None, "skipped": True})
    imported = [skipped.model_copy(update={"worker": name}) for name in (IMPORT, SCAN)]
    assert [ended_as(event) for event in (COMPLETED, skipped, *imported)] == ["processed", "skipped", None, None]
