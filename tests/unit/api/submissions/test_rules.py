"""The verdict for an article of a scan: submitted again if it was edited, or failed a day ago."""

from datetime import UTC, datetime, timedelta

import pytest

from api.projection.repository import KnownSubmission
from api.submissions.rules import is_edited, is_open

NOW = datetime(2026, 11, 29, tzinfo=UTC)
OLD, NEW = "a" * 64, "b" * 64


def found(status: str, input_hash: str | None = OLD, hours_ago: float = 1) -> KnownSubmission:
    return KnownSubmission("id", "urn:article:x", status, 1, None, None, input_hash, NOW - timedelta(hours=hours_ago))


@pytest.mark.parametrize(
    ("known", "now_it_is", "again"),
    [
        (found("completed"), OLD, False),
        (found("completed"), NEW, True),
        (found("completed", None), NEW, False),  # imported: its text is unknown
        (found("pending"), NEW, False),
        (found("processing"), NEW, False),
        (found("failed"), OLD, False),
        (found("failed"), NEW, True),
        (found("failed", hours_ago=25), OLD, True),
        (found("failed", None), NEW, True),
        (found("removed"), OLD, True),
    ],
)
def test_an_article_is_submitted_again_if_its_text_changed_or_its_failure_is_old(
    known: KnownSubmission, now_it_is: str, again: bool
) -> None:
    assert is_edited(known, now_it_is, NOW) is again


@pytest.mark.parametrize("status", ["pending", "processing", "completed"])
def test_work_in_progress_or_done_is_repeated_only_by_force(status: str) -> None:
    assert not is_open(found(status), force=False)
    assert is_open(found(status), force=True)
