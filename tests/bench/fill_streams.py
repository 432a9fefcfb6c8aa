"""Streams of any broker, made and filled before anything is measured."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice

from factories import record, topic_submitted
from servers import Stack

from shared.messaging.cloudevents import Record

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
    """Submitted now: rows that share a time are stored in random order, which costs a third more."""
    return record(topic_submitted(title, submitted_at=datetime.now(UTC)))
