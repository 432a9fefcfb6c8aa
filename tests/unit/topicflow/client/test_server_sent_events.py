"""Reading server-sent events from bytes, however they are cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from topicflow.client.following.server_sent_events import EventParser, ServerSentEvent

STREAM = (
    b"retry: 1000\nid: a\nevent: snapshot\ndata: {1}\n\n"
    b": ping\n\n"
    b"id: b\r\nevent: changes\r\ndata: one\r\ndata:two\r\n\r\n"
    b"event: changes\rdata: \xe2\x80\xa8\x0b\x85\r\r"
    b"event: unfinished\ndata: x\n"
)
EVENTS = [
    (ServerSentEvent("snapshot", "{1}"), "a"),
    (ServerSentEvent("changes", "one\ntwo"), "b"),
    (ServerSentEvent("changes", "\u2028\x0b\ufffd"), "b"),
]


@given(st.lists(st.integers(0, len(STREAM))))
def test_events_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    parser = EventParser()
    ends = sorted({0, *cuts, len(STREAM)})
    chunks = [STREAM[start:end] for start, end in pairwise(ends)]
    assert [(event, parser.last_id) for chunk in chunks for event in parser.feed(chunk)] == EVENTS
    assert parser.retry == 1.0


def test_a_byte_order_mark_precedes_the_first_line_only() -> None:
    mark = "\ufeff".encode()
    assert list(EventParser().feed(mark + b"data: " + mark + b"x\n\n")) == [ServerSentEvent("message", "\ufeffx")]


def test_an_event_without_data_gives_only_its_id() -> None:
    parser = EventParser()
    assert list(parser.feed(b"id: 7\nevent: changes\n\nid: \0\nretry: soon\nunknown: x\n\n")) == []
    assert (parser.last_id, parser.retry) == ("7", None)
