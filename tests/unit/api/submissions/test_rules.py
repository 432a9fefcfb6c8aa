"""Whether a title or URN gets another attempt, and which."""

from datetime import UTC, datetime, timedelta

import pytest

from api.projection.repository import KnownSubmission
from api.submissions.rules import Verdict, decide_article, decide_topic, distinct
from shared.ids import article_id, topic_id

NOW = datetime(2026, 11, 29, tzinfo=UTC)
OLD, NEW = "a" * 64, "b" * 64


URN = "urn:article:x"


def found(status: str, input_hash: str | None = OLD, hours_ago: float = 1) -> KnownSubmission:
    ended_at = NOW - timedelta(hours=hours_ago)
    return KnownSubmission(article_id(URN), URN, status, 1, None, None, input_hash, ended_at)


def topic(status: str, id_: str = topic_id("Raft"), name: str = "raft") -> KnownSubmission:
    return KnownSubmission(id_, name, status, 4, None, None)


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
    verdict = decide_article(URN, known, force=False, input_hash=now_it_is, now=NOW)
    expected = (True, 2, "pending") if again else (False, 1, known.status)
    assert (verdict.is_due, verdict.attempt, verdict.status) == expected


@pytest.mark.parametrize("status", ["pending", "processing", "completed"])
def test_work_in_progress_or_done_is_repeated_only_by_force(status: str) -> None:
    assert decide_topic("Raft", topic(status), force=False) == Verdict(topic_id("Raft"), "raft", status, 4, False)
    assert decide_topic("Raft", topic(status), force=True) == Verdict(topic_id("Raft"), "Raft", "pending", 5, True)
    verdicts = [decide_article(URN, found(status), force=force, input_hash=None, now=NOW) for force in (False, True)]
    assert [(verdict.is_due, verdict.attempt) for verdict in verdicts] == [(False, 1), (True, 2)]


def test_a_topic_that_the_model_gave_this_title_keeps_its_own() -> None:
    other = topic("failed", topic_id("How Raft works"), "How Raft works")
    assert decide_topic("Raft", other, force=False) == Verdict(other.id, "How Raft works", "pending", 5, True)


def test_a_name_twice_in_a_request_is_submitted_once_and_skipped_once() -> None:
    names = ["Raft", "RAFT ", "Paxos"]
    verdicts, skipped = distinct((name, decide_topic(name, None, force=False)) for name in names)
    assert [(verdict.name, verdict.attempt) for verdict in verdicts] == [("Raft", 1), ("Paxos", 1)]
    assert skipped == ["RAFT "]
