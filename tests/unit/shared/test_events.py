"""Ids: the same title is the same topic, the same event is the same event, and nothing else is."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest

from shared.events import (
    Event,
    Requeued,
    SubmissionCompleted,
    SubmissionStarted,
    TopicRemoved,
    TopicSubmitted,
    WorkerBeat,
    event_id,
    subject,
)
from shared.ids import NAMESPACE, article_id, normal, topic_id

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def submitted(attempt: int = 1, n: int = 0, by: str = "a", title: str = "Chat System") -> TopicSubmitted:
    requeued = Requeued(n=n, tries=1, starts=1, since=NOW) if n else None
    return TopicSubmitted(
        id=topic_id(title), attempt=attempt, title=title, submitted_at=NOW, submitted_by=by, requeued=requeued
    )


def started(attempt: int = 1, run: str = "r1") -> SubmissionStarted:
    return SubmissionStarted(id="x", attempt=attempt, kind="topic", submitted_at=NOW, run=run, worker="w")


def completed(attempt: int = 1, run: str = "r1") -> SubmissionCompleted:
    return SubmissionCompleted(id="x", attempt=attempt, kind="topic", submitted_at=NOW, run=run, worker="w")


def beat(instance: str) -> WorkerBeat:
    return WorkerBeat(service="api", instance=instance, app_version="1", started_at=NOW)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Chat System", "chat system"),
        (" chat   system\t\n", "chat system"),
        ("chat\u00a0system", "chat system"),
        ("chat\u3000system", "chat system"),
        ("ChatSystem", "chatsystem"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("\ufb01le system", "file system"),
        ("Ｃｈａｔ", "chat"),  # noqa: RUF001
        ("Cafe\u0301", "caf\u00e9"),
        ("", ""),
    ],
)
def test_titles_are_compared_in_their_normal_form(title: str, expected: str) -> None:
    assert normal(title) == expected


def test_a_topic_id_is_derived_from_its_normal_title() -> None:
    namespace = UUID("90854226-d4ce-58ec-b4b5-06b0c2d3c460")
    assert namespace == NAMESPACE
    assert topic_id(" CHAT  system ") == str(uuid5(namespace, "topic:chat system"))
    assert topic_id("Chat System") == "dd1fbd12-564b-51da-9c77-9963f748ae54"
    assert topic_id("Chat System") == topic_id("chat system") != topic_id("ChatSystem")


def test_an_article_id_is_derived_from_its_exact_urn() -> None:
    assert article_id("urn:article:a") == str(uuid5(NAMESPACE, "article:urn:article:a"))
    assert article_id("urn:article:a") != article_id("urn:article:A") != topic_id("urn:article:A")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (submitted(), submitted(by="b")),
        (submitted(), submitted(title="CHAT system")),
        (submitted(n=2), submitted(n=2, by="b")),
        (started(), started()),
        (completed(), completed().model_copy(update={"simulated": True})),
        (TopicRemoved(id="x", attempt=1, by="a"), TopicRemoved(id="x", attempt=1, by="b")),
    ],
)
def test_a_repeated_event_has_the_same_id_at_any_time_from_any_worker(one: Event, other: Event) -> None:
    assert event_id(one, at=NOW) == event_id(other, at=NOW + timedelta(hours=1))


def test_events_that_differ_in_submission_attempt_type_run_or_number_have_other_ids() -> None:
    ids = [
        event_id(event, n, at=NOW)
        for event, n in [
            (submitted(), 0),
            (submitted(attempt=2), 0),
            (submitted(n=1), 0),
            (submitted(n=2), 0),
            (submitted(title="Other"), 0),
            (started(), 0),
            (started(), 1),
            (started(attempt=2), 0),
            (started(run="r2"), 0),
            (completed(), 0),
            (TopicRemoved(id="x", attempt=1, by="a"), 0),
            (TopicRemoved(id="x", attempt=2, by="a"), 0),
            (beat("a"), 0),
            (beat("b"), 0),
        ]
    ]
    assert len(set(ids)) == len(ids)
    assert all(UUID(found).version == 5 for found in ids)


def test_each_heartbeat_has_its_own_id() -> None:
    assert event_id(beat("a"), at=NOW) != event_id(beat("a"), at=NOW + timedelta(seconds=2))


def test_events_are_routed_by_their_subject() -> None:
    assert subject(submitted()) == topic_id("Chat System")
    assert subject(started()) == "x"
    assert subject(beat("worker-1")) == "worker-1"
