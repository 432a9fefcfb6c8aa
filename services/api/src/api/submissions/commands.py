"""Looking up, queueing and removing submissions of any kind, with waits for the projection."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import RowMapping

from api.dependencies import ApiContext
from api.problems import ProblemError
from api.projection.freshness import projected_up_to_now
from shared.db.engine import DatabaseUnreachable
from shared.events import Kind, Removed, SubmissionEvent, Submitted, WaitingFor
from shared.messaging.cloudevents import encode
from shared.observability.metrics import SUBMISSIONS

PATIENCE = 1.0  # seconds; longest wait for the projection
LOOKS_APART = 0.02  # seconds
HowMany = Annotated[int, Query(ge=1, le=1000)]


class HistoryEvent(BaseModel):
    event: str
    attempt: int
    time: datetime
    run: str | None
    worker: str | None
    model: str | None
    tokens_in: int | None
    tokens_out: int | None
    cost: float | None
    error: str | None


class History(BaseModel):
    id: str
    events: list[HistoryEvent]
    is_complete: bool  # False: older events than the `limit` newest exist


async def load_submission(context: ApiContext, kind: Kind, id_: str, called: str = "") -> RowMapping:
    """The submission's row. An unknown id is looked up again once everything stored so far is projected.

    `called`: the name in the error message. Raises ProblemError 404.
    """
    row = await context.projection.submission(kind, id_)
    if row is None:
        await projected_up_to_now(context.projection, context.transport, PATIENCE)
        row = await context.projection.submission(kind, id_)
    if row is None:
        raise ProblemError(404, f"there is no {kind} {(called or id_)[:80]!r}")
    return row


def contents_of(row: RowMapping) -> dict[str, Any] | None:
    return json.loads(row["content"]) if row["content"] else None


async def history_of(context: ApiContext, id_: str, limit: int) -> History:
    """The newest events across all attempts, in chronological order, with the cost of each."""
    rows = await context.projection.history(id_, limit + 1)
    events = [HistoryEvent.model_validate(dict(row)) for row in reversed(rows[:limit])]
    return History(id=id_, events=events, is_complete=len(rows) <= limit)


async def queue(context: ApiContext, events: Sequence[Submitted], stored: int = 0) -> None:
    """Publishes submissions of one kind. `stored`: those of the same request published before.

    Raises ProblemError 503 while there is no room.
    """
    await context.publish_work([encode(event, source=context.instance) for event in events], stored)
    for event in events[:1]:
        SUBMISSIONS.labels(event.kind, "queued").inc(len(events))


async def take_back(context: ApiContext, id_: str, removal_of: Callable[[int], Removed], attempt: int) -> None:
    """Removes a submission from all reads and counts. Returns once this is projected, after one second at most.

    `removal_of`: builds the event for an attempt; called again if a newer attempt was submitted meanwhile.
    """
    give_up = time.monotonic() + PATIENCE
    removed: Removed | None = removal_of(attempt)
    while removed:
        await context.publish([encode(removed, source=context.instance)])
        now = await projected(context, removed)
        is_overtaken = now and now[0] > removed.attempt and now[1] != "removed" and time.monotonic() < give_up
        removed = removal_of(now[0]) if now and is_overtaken else None


async def projected(context: ApiContext, event: SubmissionEvent) -> tuple[int, str] | None:
    """Attempt and status once the event is projected; None after one second (the event is stored regardless)."""
    give_up = time.monotonic() + PATIENCE
    with suppress(DatabaseUnreachable):
        while time.monotonic() < give_up:
            now = await context.projection.attempt_of(event.id)
            if now and (now[0] > event.attempt or (now[0] == event.attempt and _shows(event, now[1]))):
                return now
            await asyncio.sleep(LOOKS_APART)
    return None


def _shows(event: SubmissionEvent, status: str) -> bool:
    return status == "removed" or not isinstance(event, Removed)


def waiting_for(row: RowMapping, all_wait_for: WaitingFor | None) -> WaitingFor | None:
    """What a pending submission waits for: its own reason, or the one common to all."""
    if row["status"] != "pending":
        return None
    if reason := row["waiting_reason"]:
        message = all_wait_for.message if all_wait_for and all_wait_for.reason == reason else ""
        return WaitingFor(reason=reason, since=row["waiting_since"], until=row["waiting_until"], message=message)
    return all_wait_for
