"""GET /events: what becomes of submissions, as server-sent events."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.access.callers import LOCAL, Caller
from api.access.scopes import require_scope
from api.dependencies import Access, Dismissals, Projection, Workers
from api.live.change_feed import ChangeFeed
from api.live.events import Changed, Resync, Snapshot, snapshot_frame
from api.live.look import Look
from api.live.response import EventStreamResponse
from api.projection.change_cursor import LONGEST, ChangeCursor
from api.projection.changes import Interest
from api.status.routes import ProcessingStatus, processing_status
from shared.db.engine import DatabaseUnreachable
from shared.events import Kind

router = APIRouter()
MOST_IDS = 100
Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]


async def _feed_of(request: Request) -> Any:
    return request.app.state.change_feed


class EventsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Annotated[list[Kind], Field(max_length=3, description="Only submissions of these kinds.")] = []
    id: Annotated[list[Id], Field(max_length=MOST_IDS, description="Only these submissions.")] = []
    last_event_id: Annotated[
        str | None, Field(max_length=LONGEST, description="As the header, for clients that cannot send it.")
    ] = None


@router.get(
    "/events",
    status_code=200,
    response_class=EventStreamResponse,
    responses={
        200: {"description": "Events, each with one of these as its data", "model": Snapshot | Changed | Resync}
    },
)
async def events(
    query: Annotated[EventsQuery, Query()],
    feed: Annotated[ChangeFeed, Depends(_feed_of)],
    projection: Projection,
    workers: Workers,
    dismissals: Dismissals,
    access: Access,
    caller: Annotated[Caller, require_scope("read")],
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventStreamResponse:
    """Follow what becomes of submissions, as server-sent events.

    `snapshot` comes first, then `changes` whenever something changed, or `resync` when that was too much for one event:
    read again what you show. Each has an `id`; send the last one back as `Last-Event-ID` to go on from there, at any
    replica. A `changes` without an id has new counts only. States that lasted less than a quarter of a second may be
    left out; the newest never is.
    """
    last = last_event_id or query.last_event_id
    since = ChangeCursor.parse(last) if last else None
    interest = Interest(frozenset(query.kind), frozenset(query.id))
    if since:
        first = partial(_what_was_missed, interest, since)
    else:
        first = partial(_snapshot, interest, await processing_status(projection, workers, dismissals))

    async def is_allowed() -> bool:
        try:
            return caller is LOCAL or await access.keys.is_live(caller.id)
        except DatabaseUnreachable:
            return True

    return EventStreamResponse(feed, interest, since, first=first, is_allowed=is_allowed)


def _snapshot(interest: Interest, status: ProcessingStatus, look: Look) -> bytes:
    return snapshot_frame(look.snapshot(interest, status), look.changes.cursor)


def _what_was_missed(interest: Interest, since: ChangeCursor, look: Look) -> bytes:
    return look.frame(interest, since) or look.counts_frame()
