"""Reading the file of the old system: titles, cards and times, in both versions of its tables."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from old_file import NEWER, OLDER, TOPICS, OldFile, old_card

from topicflow.errors import WrongUse
from topicflow.migration.old_card import card
from topicflow.migration.old_system import OldTopic, open_old_system


def read(path: Path) -> list[OldTopic]:
    with open_old_system(path) as old:
        topics = list(old.topics())
        assert len(topics) == old.count
    return topics


@pytest.fixture(params=[OLDER, NEWER], ids=["older", "newer"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> OldFile:
    return OldFile(tmp_path / "old system.db", request.param)


# -- rows ----------------------------------------------------------------------------------------------------------


def test_a_completed_topic_has_its_number_its_card_and_its_times(file: OldFile) -> None:
    file.topic(7, "B-trees").status("B-trees", "completed")
    [topic] = read(file.path)
    assert (topic.title, topic.status, topic.legacy_id) == ("B-trees", "completed", 7)
    assert topic.created_at == "2024-01-01T00:00:00+00:00"
    assert topic.completed_at == "2024-01-03T04:05:06+00:00"
    assert topic.content is not None
    assert topic.content["technologies"] == ["B-trees", "LSM trees"]


def test_a_topic_without_a_status_is_completed_and_keeps_its_time(file: OldFile) -> None:
    [topic] = read(file.topic(1, "Alone", generated_at=None).path)
    assert (topic.status, topic.created_at) == ("completed", "2024-01-02T00:00:00+00:00")
    assert topic.completed_at == "2024-01-03T00:00:00+00:00"


@pytest.mark.parametrize("status", ["pending", "processing", "in_progress", "failed", "skipped", "completed"])
def test_an_existing_card_is_kept_with_any_status(file: OldFile, status: str) -> None:
    [topic] = read(file.topic(1, "Raft").status("Raft", status).path)
    assert (topic.status, topic.content is not None) == ("completed", True)


def test_an_empty_row_has_no_card_unless_it_is_completed(file: OldFile) -> None:
    file.topic(1, "Empty", description=" ").status("Empty", "failed")
    file.topic(2, "Never said", description=None)
    file.topic(3, "Said", description=None).status("Said", "completed")
    assert [(t.title, t.status, t.legacy_id, t.content is None) for t in read(file.path)] == [
        ("Empty", "failed", 1, True),
        ("Never said", "", 2, True),
        ("Said", "completed", 3, False),
    ]


def test_a_status_without_a_topic_comes_last_and_has_no_number(file: OldFile) -> None:
    file.status("Waiting", "pending").topic(5, "Raft").status("Bad luck", "failed")
    assert [(t.title, t.status, t.legacy_id) for t in read(file.path)] == [
        ("Raft", "completed", 5),
        ("Waiting", "pending", None),
        ("Bad luck", "failed", None),
    ]


def test_titles_that_differ_in_case_and_space_are_one_topic(file: OldFile) -> None:
    [topic] = read(file.topic(1, "Chat System").status(" chat  SYSTEM", "completed").path)
    assert (topic.title, topic.created_at) == ("chat  SYSTEM", "2024-01-01T00:00:00+00:00")


def test_of_several_statuses_of_one_title_the_last_one_counts(tmp_path: Path) -> None:
    file = OldFile(tmp_path / "old.db", OLDER).topic(1, "Raft", description="")
    [topic] = read(file.status("Raft", "completed").status("Raft", "failed").path)
    assert topic.status == "failed"


def test_a_newer_file_has_the_title_from_before_the_model_rewrote_it(tmp_path: Path) -> None:
    file = OldFile(tmp_path / "old.db").topic(1, "The Chat System, Explained").topic(2, "Raft")
    file.status("chat system", "completed", current="The Chat System, Explained").status("Raft", "completed")
    first, second = read(file.path)
    assert (first.title, second.title) == ("chat system", "Raft")
    assert first.content is not None
    assert first.content["title"] == "The Chat System, Explained"


@pytest.mark.parametrize("submitted", ["", "x" * 501, "bell \x07"], ids=["blank", "long", "control"])
def test_an_invalid_submitted_title_is_replaced_by_the_title_of_the_card(tmp_path: Path, submitted: str) -> None:
    file = OldFile(tmp_path / "old.db").topic(1, "Raft").status(submitted, "completed", current="Raft")
    assert [topic.title for topic in read(file.path)] == ["Raft"]


def test_columns_that_are_not_needed_may_be_missing(tmp_path: Path) -> None:
    topics = "CREATE TABLE topics (id INTEGER PRIMARY KEY, title TEXT, description TEXT)"
    path = OldFile(tmp_path / "old.db", "CREATE TABLE topic_status (original_title TEXT, status TEXT)", topics).path
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO topics VALUES (3, 'Raft', 'Elects a leader.')")
        connection.execute("INSERT INTO topic_status VALUES ('Paxos', 'pending')")
    assert read(path) == [
        OldTopic("Raft", "completed", 3, {"title": "Raft", "description": "Elects a leader."}),
        OldTopic("Paxos", "pending"),
    ]


# -- cards ---------------------------------------------------------------------------------------------------------


def test_a_card_is_kept_unchanged_with_its_json_parsed() -> None:
    stored = old_card("B-trees", embedding=b"\x00")
    assert card(stored) == {
        **old_card("B-trees"),
        "technologies": ["B-trees", "LSM trees"],
        "metrics": {"scale": "big", "latency": "low"},
        "implementation_details": {"storage": "on disk"},
        "learning_objectives": ["know it"],
    }


@pytest.mark.parametrize(
    "text", ["", "plain", "[1", '["\\ud800"]', "[1e999]", "[NaN]", "[" * 150 + "]" * 150, "[" * 9999], ids=str.__len__
)
def test_unstorable_json_stays_text(text: str) -> None:
    expected: Any = json.loads(text) if len(text) == 300 else text
    assert card({"title": "x", "tags": text})["tags"] == expected


@pytest.mark.parametrize(
    ("value", "kept"), [(None, None), (5, 5), (b"caf\xe9", "caf\ufffd"), (float("inf"), "inf"), (2.5, 2.5)]
)
def test_a_column_can_have_any_value(value: object, kept: object) -> None:
    assert card({"tags": value, "source": value}) == {"tags": kept, "source": kept}


def test_invalid_text_and_times_do_not_stop_the_import(file: OldFile) -> None:
    file.topic(1, "Raft", generated_at="soon", updated_date=17, created_date="0001-01-01T00:00:00+09:00")
    with closing(sqlite3.connect(file.path)) as connection, connection:
        connection.execute("UPDATE topics SET description = CAST(x'ff41' AS TEXT)")
    [topic] = read(file.path)
    assert topic.content is not None
    assert topic.content["description"] == "\ufffdA"
    assert (topic.created_at, topic.completed_at) == (None, None)


# -- files ---------------------------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(WrongUse) as error:
        read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_file_is_only_read(file: OldFile) -> None:
    before = file.topic(1, "Raft").path.read_bytes()
    read(file.path)
    assert file.path.read_bytes() == before
    assert [path.name for path in file.path.parent.iterdir()] == [file.path.name]


def test_a_file_of_another_system_is_refused_in_one_line(tmp_path: Path) -> None:
    text, empty, other = tmp_path / "text.db", tmp_path / "empty.db", tmp_path / "other.db"
    text.write_text("nothing that SQLite knows\n" * 100)
    empty.touch()
    OldFile(other, "CREATE TABLE statuses (id)", "CREATE TABLE topics (id, title)")
    assert refused(tmp_path / "missing.db").endswith("missing.db: no such file")
    assert refused(tmp_path).endswith(": no such file")
    assert refused(text).endswith("text.db: file is not a database")
    assert refused(empty).endswith("not a file of the old system: there is no table topics")
    assert refused(other).endswith("not a file of the old system: there is no column description in table topics")


@pytest.mark.parametrize(
    ("status_table", "what"),
    [
        ("CREATE TABLE other (id)", "table topic_status"),
        ("CREATE TABLE topic_status (title)", "column status in table topic_status"),
        ("CREATE TABLE topic_status (status)", "column title in table topic_status"),
    ],
)
def test_missing_tables_and_columns_are_named(tmp_path: Path, status_table: str, what: str) -> None:
    assert refused(OldFile(tmp_path / "old.db", status_table, TOPICS).path).endswith(f"there is no {what}")


def test_a_locked_file_is_reported_with_what_to_do(file: OldFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topicflow.migration.old_system.LOCK_TIMEOUT", 0.1)
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert refused(file.path).endswith("database is locked (stop the old system, or import a copy)")


def test_a_damaged_file_is_reported_in_one_line(file: OldFile) -> None:
    file.completed(2000)
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    assert refused(file.path).endswith("database disk image is malformed")


@pytest.mark.parametrize("is_writable", [True, False])
def test_rows_in_the_write_ahead_log_are_read_too(
    file: OldFile, monkeypatch: pytest.MonkeyPatch, is_writable: bool
) -> None:
    monkeypatch.setattr("os.access", lambda *_: is_writable)
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("INSERT INTO topics (id, title, description) VALUES (1, 'In the log', 'x')")
        connection.commit()
        assert [topic.title for topic in read(file.path)] == ["In the log"]


def test_a_file_in_a_folder_that_cannot_be_written_is_read(file: OldFile, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = []
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def recording_connect(address: str, **options: Any) -> sqlite3.Connection:
        addresses.append(address)
        return connect(address, **options)

    file.topic(1, "Raft")
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("sqlite3.connect", recording_connect)
    assert len(read(file.path)) == 1
    assert addresses[0].endswith("old%20system.db?mode=ro&immutable=1")
