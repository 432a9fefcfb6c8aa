"""The verdict for an imported topic or article, by its known state."""

from typing import Any

import pytest
from pydantic import ValidationError

from api.imports.rules import ArticleImportVerdict, ImportVerdict, TopicToImport, judge, judge_articles
from api.projection.repository import KnownSubmission
from shared.ids import article_id, topic_id

CARD = {"title": "Raft", "description": "Elects a leader."}


def old(title: str = "Raft", status: str = "completed", **more: Any) -> TopicToImport:
    content = CARD if status == "completed" else None
    return TopicToImport.model_validate({"title": title, "status": status, "content": content, "legacy_id": 374} | more)


def here(status: str, attempt: int = 2, **more: Any) -> dict[str, KnownSubmission]:
    fields = {"id": topic_id("Raft"), "name": "raft", "legacy_id": None, "simulated": False, **more}
    return {topic_id("Raft"): KnownSubmission(status=status, attempt=attempt, **fields)}


def one(topic: TopicToImport, known: dict[str, KnownSubmission]) -> ImportVerdict:
    [judgement] = judge([topic], known)
    return judgement


def test_unknown_topics_are_imported_or_queued_as_their_first_attempt() -> None:
    judged = judge([old(), old("Paxos", "failed"), old("Quorums", "pending")], {})
    assert [(j.became, j.attempt, j.reason) for j in judged] == [
        ("imported", 1, None),
        ("queued", 1, None),
        ("queued", 1, None),
    ]


@pytest.mark.parametrize(
    ("status", "became", "attempt"),
    [
        ("pending", "imported", 2),
        ("processing", "imported", 2),
        ("failed", "imported", 3),
        ("completed", "skipped", 2),
        ("removed", "skipped", 2),
    ],
)
def test_an_old_card_is_skipped_only_for_completed_or_removed_topics(status: str, became: str, attempt: int) -> None:
    judged = one(old(), here(status))
    assert (judged.became, judged.attempt) == (became, attempt)
    assert (judged.reason is None) == (became == "imported")


def test_an_old_card_replaces_a_simulated_one() -> None:
    judged = one(old(), here("completed", simulated=True))
    assert (judged.became, judged.attempt) == ("imported", 3)
    assert one(old(status="failed"), here("completed", simulated=True)).became == "skipped"


@pytest.mark.parametrize("status", ["pending", "processing", "failed", "completed", "removed"])
@pytest.mark.parametrize("old_status", ["failed", "pending"])
def test_a_topic_without_a_card_is_queued_only_if_it_is_unknown(status: str, old_status: str) -> None:
    assert one(old(status=old_status), here(status)).became == "skipped"


def test_a_completed_topic_gets_its_old_number_unless_it_has_one() -> None:
    assert one(old(), here("completed")).adopts
    assert one(old(status="failed"), here("completed")).adopts
    assert not one(old(), here("completed", legacy_id=9)).adopts
    assert not one(old(legacy_id=None), here("completed")).adopts
    assert not one(old(), here("removed")).adopts
    assert not one(old(status="failed"), here("failed")).adopts


def test_of_a_duplicate_topic_the_first_counts() -> None:
    judged = judge([old(legacy_id=1), old(" RAFT", legacy_id=2), old("Paxos")], {})
    assert [j.became for j in judged] == ["imported", "skipped", "imported"]
    assert judged[1].reason == "the same topic as one before it"
    assert [j.adopts for j in judge([old(legacy_id=1), old("raft", legacy_id=2)], here("completed"))] == [True, False]


def test_a_title_that_is_the_generated_title_of_a_topic_means_that_topic() -> None:
    other = KnownSubmission(topic_id("How Raft works"), "How Raft works", "failed", 1, None, None)
    judged = one(old(), {topic_id("Raft"): other})
    assert (judged.id, judged.title, judged.attempt) == (other.id, "How Raft works", 2)
    twice = judge([old("How Raft works"), old()], {topic_id("Raft"): other, other.id: other})
    assert [j.became for j in twice] == ["imported", "skipped"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 501}, "title"),
        ({"content": None}, "content"),
        ({"content": []}, "content"),
        ({"content": {"a": float("inf")}}, "content"),
        ({"content": {"a": "\ud800"}}, "content"),
        ({"content": {"\ud800": 1}}, "content"),
        ({"legacy_id": -1}, "legacy_id"),
        ({"legacy_id": 10**18}, "legacy_id"),
        ({"status": "skipped"}, "status"),
        ({"created_at": "2024-01-01T00:00:00"}, "created_at"),
        ({"completed_at": "0001-01-01T00:00:00+09:00"}, "completed_at"),
        ({"error": "x"}, "error"),
    ],
    ids=str,
)
def test_unstorable_topics_are_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        old(**wrong)
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


@pytest.mark.parametrize(
    ("status", "became", "attempt", "reason"),
    [
        ("failed", "imported", 3, None),
        ("pending", "skipped", 2, "already pending here"),
        ("processing", "skipped", 2, "already processing here"),
        ("completed", "skipped", 2, "already completed here"),
        ("removed", "skipped", 2, "forgotten here"),
    ],
)
def test_an_enriched_article_of_the_old_system_replaces_only_a_failure(
    status: str, became: str, attempt: int, reason: str | None
) -> None:
    urn = "urn:article:oats"
    known = {article_id(urn): KnownSubmission(article_id(urn), urn, status, 2, None, None)}
    assert judge_articles([urn], known) == [ArticleImportVerdict(article_id(urn), urn, attempt, became, reason)]  # type: ignore[arg-type]


def test_of_a_duplicate_article_the_first_counts() -> None:
    urns = ["urn:article:oats", "urn:article:rye", "urn:article:oats"]
    judged = judge_articles(urns, {})
    assert [(one.urn, one.attempt, one.became) for one in judged] == [
        ("urn:article:oats", 1, "imported"),
        ("urn:article:rye", 1, "imported"),
        ("urn:article:oats", 1, "skipped"),
    ]
    assert judged[2].reason == "the same article as one before it"
