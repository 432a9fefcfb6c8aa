"""Ids: the same title is the same topic, the same event is the same event, and nothing else is."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from factories import BEGAN, completed, removed, started, topic_submitted

from shared.events import Event, Requeued, TopicSubmitted, WorkerHeartbeat, event_id, subject
from shared.ids import NAMESPACE, article_id, normal, topic_id


def submitted(title: str = "Chat System", n: int = 0, **fields: Any) -> TopicSubmitted:
    requeued = Requeued(n=n, tries=1, starts=1, since=BEGAN) if n else None
    return topic_submitted(title, requeued=requeued, **fields)


def beat(instance: str) -> WorkerHeartbeat:
    return WorkerHeartbeat(service="api", instance=instance, app_version="1", started_at=BEGAN)


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
        (submitted(), submitted(submitted_by="b")),
        (submitted(), submitted(title="CHAT system")),
        (submitted(n=2), submitted(n=2, submitted_by="b")),
        (started(), started()),
        (completed(), completed().model_copy(update={"simulated": True})),
        (removed(by="a"), removed(by="b")),
    ],
)
def test_a_repeated_event_has_the_same_id_at_any_time_from_any_worker(one: Event, other: Event) -> None:
    assert event_id(one, at=BEGAN) == event_id(other, at=BEGAN + timedelta(hours=1))


def test_events_that_differ_in_submission_attempt_type_run_or_number_have_other_ids() -> None:
    ids = [
        event_id(event, n, at=BEGAN)
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
            (removed(), 0),
            (removed(attempt=2), 0),
            (beat("a"), 0),
            (beat("b"), 0),
        ]
    ]
    assert len(set(ids)) == len(ids)
    assert all(UUID(found).version == 5 for found in ids)


def test_each_heartbeat_has_its_own_id() -> None:
    assert event_id(beat("a"), at=BEGAN) != event_id(beat("a"), at=BEGAN + timedelta(seconds=2))


def test_events_are_routed_by_their_subject() -> None:
    assert subject(submitted()) == topic_id("Chat System")
    assert subject(started(id="x")) == "x"
    assert subject(beat("worker-1")) == "worker-1"
