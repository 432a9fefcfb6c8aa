"""Events as records and back. What was ever written stays readable: `recorded/` keeps an example of every event and
version, and whoever adds one records it there, by hand, once."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from factories import BEGAN, topic_submitted
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidEvent, NewerVersion
from shared.events import Requeued
from shared.messaging.cloudevents import Record, decode, encode
from shared.streams import EVENT_TYPES, STREAM_OF

RECORDED = {path.stem: json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "recorded").iterdir())}


def as_record(recorded: dict[str, Any], **headers: str | None) -> Record:
    changed = {**recorded["headers"], **headers}
    kept = {name: value for name, value in changed.items() if value is not None}
    return Record(recorded["stream"], recorded["key"], kept, json.dumps(recorded["data"]).encode())


def with_data(recorded: dict[str, Any], **fields: Any) -> Record:
    return as_record({**recorded, "data": {**recorded["data"], **fields}})


def without(recorded: dict[str, Any], field: str) -> Record:
    return as_record({**recorded, "data": {name: v for name, v in recorded["data"].items() if name != field}})


SUBMITTED = RECORDED["TopicSubmitted.v1"]


def test_every_event_and_version_is_recorded() -> None:
    expected = {f"{name}.v{v}" for name, kind in EVENT_TYPES.items() for v in range(1, kind.version + 1)}
    assert {".".join(name.split(".")[:2]) for name in RECORDED} == expected


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_events_are_still_decoded_the_same(name: str) -> None:
    recorded = RECORDED[name]
    envelope = decode(as_record(recorded))
    assert f"topicflow.{name}".startswith(recorded["headers"]["ce_type"])
    assert type(envelope.event).__name__ == name.split(".")[0]
    assert STREAM_OF[type(envelope.event)].name == recorded["stream"]
    assert (envelope.event_id, envelope.time.isoformat()) == (
        recorded["headers"]["ce_id"],
        recorded["headers"]["ce_time"],
    )
    assert is_in(recorded["data"], json.loads(envelope.event.model_dump_json()))


def is_in(recorded: Any, read: Any) -> bool:
    """Fields may have been added since, at any level."""
    if isinstance(recorded, dict):
        return isinstance(read, dict) and all(name in read and is_in(recorded[name], read[name]) for name in recorded)
    if isinstance(recorded, list):
        return isinstance(read, list) and len(recorded) == len(read) and all(map(is_in, recorded, read))
    return bool(recorded == read)


@pytest.mark.parametrize("name", RECORDED)
def test_events_encoded_today_have_the_recorded_names_and_ids(name: str) -> None:
    """A version defines the meaning of its fields: another shape is another version."""
    recorded = RECORDED[name]
    event = decode(as_record(recorded)).event
    if f"topicflow.{name.split('.')[0]}.v{event.version}" != recorded["headers"]["ce_type"]:
        return  # an older version: read, not written any more
    again = encode(event, source="recorder")
    assert (again.stream, again.key) == (recorded["stream"], recorded["key"])
    assert again.headers.keys() == recorded["headers"].keys()
    assert json.loads(again.data).keys() >= recorded["data"].keys()
    if name.split(".")[0] not in {"WorkerHeartbeat", "UsageReported", "WorkerPauseChanged"}:  # each is another
        assert again.event_id == recorded["headers"]["ce_id"]


@pytest.mark.parametrize("name", RECORDED)
def test_headers_are_ascii_cloudevents(name: str) -> None:
    headers = RECORDED[name]["headers"]
    assert all(value.isascii() for part in headers.items() for value in part)
    assert headers.keys() >= {"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time"}
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "record",
    [
        as_record(SUBMITTED, ce_type=None),
        as_record(SUBMITTED, ce_type=""),
        as_record(SUBMITTED, ce_type="topicflow.Unheard.v1"),
        as_record(SUBMITTED, ce_type="other.TopicSubmitted.v1"),
        as_record(SUBMITTED, ce_type="topicflow.TopicSubmitted"),
        as_record(SUBMITTED, ce_type="topicflow.TopicSubmitted.v0"),
        as_record(SUBMITTED, ce_type="topicflow.TopicSubmitted.v1\n"),
        as_record(SUBMITTED, ce_type="topicflow.TopicSubmitted.v" + "9" * 5000),
        as_record(SUBMITTED, ce_type="topicflow.Event.v1"),
        as_record(SUBMITTED, ce_type="topicflow.SubmissionStarted.v1"),
        as_record(RECORDED["SubmissionStarted.v1"] | {"stream": "topic-submissions"}),
        as_record(SUBMITTED, ce_time=None),
        as_record(SUBMITTED, ce_time="yesterday"),
        as_record(SUBMITTED, ce_time="2026-03-01"),
        as_record(SUBMITTED, ce_time="2026-03-01T12:00:00"),
        as_record(SUBMITTED, ce_id=None),
        as_record(SUBMITTED, ce_id=""),
        without(SUBMITTED, "id"),
        without(SUBMITTED, "title"),
        with_data(SUBMITTED, id=""),
        with_data(SUBMITTED, id="x" * 65),
        with_data(SUBMITTED, attempt=0),
        with_data(SUBMITTED, attempt="second"),
        with_data(SUBMITTED, submitted_at="2026-03-01T12:00:00"),
        with_data(SUBMITTED, batch_size=6),
        with_data(SUBMITTED, title=None),
    ],
)
def test_unreadable_records_are_invalid(record: Record) -> None:
    with pytest.raises(InvalidEvent) as raised:
        decode(record)
    assert len(str(raised.value)) < 300


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(InvalidEvent):
        decode(Record(SUBMITTED["stream"], "k", SUBMITTED["headers"], data))


@given(st.dictionaries(st.sampled_from(sorted(SUBMITTED["headers"])), st.text(max_size=60)))
def test_no_headers_raise_anything_else(headers: dict[str, str]) -> None:
    try:
        decode(as_record(SUBMITTED, **headers))
    except (InvalidEvent, NewerVersion):
        return


def test_the_message_of_an_invalid_event_names_the_field_and_not_its_value() -> None:
    with pytest.raises(InvalidEvent, match=r"TopicSubmitted\.v1: attempt") as raised:
        decode(with_data(SUBMITTED, attempt="a secret"))
    assert "secret" not in str(raised.value)


def test_a_newer_version_of_a_known_event_is_not_invalid() -> None:
    with pytest.raises(NewerVersion, match=r"topic-submissions holds topicflow\.TopicSubmitted\.v2"):
        decode(as_record(SUBMITTED, ce_type="topicflow.TopicSubmitted.v2"))


def test_unknown_fields_are_ignored() -> None:
    assert decode(with_data(SUBMITTED, added_later={"a": 1})).event == decode(as_record(SUBMITTED)).event


@given(
    title=st.text(), attempt=st.integers(1), force=st.booleans(), batch_size=st.integers(1, 5), requeued=st.booleans()
)
def test_encoded_events_are_decoded(title: str, attempt: int, force: bool, batch_size: int, requeued: bool) -> None:
    event = topic_submitted(
        title,
        attempt,
        force=force,
        batch_size=batch_size,
        requeued=Requeued(n=1, tries=2, starts=3, since=BEGAN) if requeued else None,
    )
    record = encode(event, source="test")
    envelope = decode(record)
    assert envelope.event == event
    assert envelope.event_id == record.event_id
    assert abs(envelope.time - datetime.now(UTC)).total_seconds() < 60
