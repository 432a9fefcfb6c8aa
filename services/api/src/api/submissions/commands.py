"""Queueing and removing submissions of any kind, with waits for the projection."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from api.projection.freshness import LONGEST_WAIT_SECONDS, POLL_SECONDS
from api.projection.repository import ProjectionQueries
from api.publisher import EventPublisher
from shared.db.engine import DatabaseUnreachable
from shared.events import Event, Removed, SubmissionEvent, Submitted
from shared.messaging.cloudevents import encode
from shared.observability.metrics import SUBMISSIONS


async def queue(publisher: EventPublisher, events: Sequence[Submitted], stored: int = 0) -> None:
    """Publishes submissions of one kind. `stored`: those of the same request published before.

    Raises NoRoom, BrokerUnreachable.
    """
    await publisher.publish_work([encode(event, source=publisher.source) for event in events], stored)
    for event in events[:1]:
        SUBMISSIONS.labels(event.kind, "queued").inc(len(events))


async def take_back(
    projection: ProjectionQueries,
    publisher: EventPublisher,
    events_of: Callable[[int], Sequence[SubmissionEvent]],
    attempt: int,
) -> None:
    """Removes a submission from all reads and counts. Returns once this is projected, after one second at most.

    `events_of`: builds the events for an attempt, the removal last, so that it is never stored without the others;
    called again if a newer attempt was submitted meanwhile.
    """
    give_up = time.monotonic() + LONGEST_WAIT_SECONDS
    while True:
        events = events_of(attempt)
        await publish(publisher, events)
        now = await projected(projection, events[-1])
        if now is None or now[0] <= attempt or now[1] == "removed" or time.monotonic() >= give_up:
            return
        attempt = now[0]


async def publish(publisher: EventPublisher, events: Sequence[Event]) -> None:
    """Raises BrokerUnreachable."""
    await publisher.publish([encode(event, source=publisher.source) for event in events])


async def projected(projection: ProjectionQueries, event: SubmissionEvent) -> tuple[int, str] | None:
    """Attempt and status once the event is projected; None after one second (the event is stored regardless)."""
    give_up = time.monotonic() + LONGEST_WAIT_SECONDS
    with suppress(DatabaseUnreachable):
        while time.monotonic() < give_up:
            now = await projection.attempt_of(event.id)
            if now and (now[0] > event.attempt or (now[0] == event.attempt and _shows(event, now[1]))):
                return now
            await asyncio.sleep(POLL_SECONDS)
    return None


def _shows(event: SubmissionEvent, status: str) -> bool:
    return status == "removed" or not isinstance(event, Removed)
