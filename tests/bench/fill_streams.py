"""Streams of any broker, made and filled before anything is measured."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice

from servers import Stack

from shared.events import TopicSubmitted
from shared.ids import topic_id
from shared.messaging.cloudevents import Record, encode

AT_ONCE = 2000  # records


async def fill(stack: Stack, records: Iterable[Record] = ()) -> None:
    """Returns when the streams and groups are there and all records are stored."""
    transport = stack.connect()
    await transport.provision()
    left = iter(records)
    while some := list(islice(left, AT_ONCE)):
        await transport.publish(some)
    await transport.close()


def submission(title: str) -> Record:
    event = TopicSubmitted(
        id=topic_id(title), attempt=1, title=title, submitted_at=datetime.now(UTC), submitted_by="bench"
    )
    return encode(event, source="bench")
