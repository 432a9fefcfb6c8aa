"""GET /topics and /topics/{id}: what the projection has, and how old that is."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping

from api.context import ApiContext, Context
from api.problems import Problem
from api.projection import Wanted
from api.staleness import projected_up_to_now, staleness
from shared.events import WaitingFor
from shared.status import Status

router = APIRouter()
PATIENCE = 1.0  # seconds that a read waits for the projection


class TopicsWanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    search: Annotated[str | None, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str | None, Field(max_length=200)] = None
    offset: Annotated[int, Field(ge=0, le=100_000)] = 0


class Topic(BaseModel):
    id: str
    title: str
    status: Status
    attempt: int
    content: dict[str, Any] | None
    error_message: str | None
    created_at: datetime | None
    updated_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    tries: int
    worker: str | None
    legacy_id: int | None
    simulated: bool | None
    waiting_for: WaitingFor | None


class OneTopic(Topic):
    as_of: datetime | None
    projection_lag_seconds: float | None


class Topics(BaseModel):
    topics: list[Topic]
    total_count: int
    total_count_capped: bool
    limit: int
    offset: int
    next_cursor: str | None
    simulated: bool | None
    as_of: datetime | None
    projection_lag_seconds: float | None


@router.get("/topics")
async def list_topics(wanted: Annotated[TopicsWanted, Query()], context: Context) -> Topics:
    """Newest first. Go on with `next_cursor`; `offset` is for old clients."""
    after = _place(wanted.cursor) if wanted.cursor else None
    age = await staleness(context)
    page = await context.projection.topics(
        Wanted(wanted.status, wanted.search, after), limit=wanted.limit, offset=wanted.offset
    )
    waiting_for = context.workers.waiting_for
    return Topics(
        topics=[_topic(row, waiting_for) for row in page.rows],
        total_count=page.total,
        total_count_capped=page.is_capped,
        limit=wanted.limit,
        offset=wanted.offset,
        next_cursor=_cursor(page.rows[-1]) if len(page.rows) == wanted.limit else None,
        simulated=context.workers.simulated,
        **age,
    )


@router.get("/topics/{id}")
async def get_topic(id: str, context: Context) -> OneTopic:
    age = await staleness(context)
    topic = _topic(await patient_topic(context, id), context.workers.waiting_for)
    return OneTopic(**topic.model_dump(), **age)


async def patient_topic(context: ApiContext, id_: str) -> RowMapping:
    """An unknown id is waited for until all that was stored before is projected. Raises Problem 404."""
    row = await context.projection.topic(id_)
    if row is None:
        await projected_up_to_now(context, PATIENCE)
        row = await context.projection.topic(id_)
    if row is None:
        raise Problem(404, f"there is no topic {id_[:80]!r}")
    return row


def _topic(row: RowMapping, all_wait_for: WaitingFor | None) -> Topic:
    status: Status = row["status"]
    own = row["waiting_reason"]
    waiting_for = None
    if status == "pending":
        waiting_for = (
            WaitingFor(reason=own, since=row["waiting_since"], until=row["waiting_until"]) if own else all_wait_for
        )
    return Topic(
        id=row["id"],
        title=row["title"] or "",
        status=status,
        attempt=row["attempt"],
        content=json.loads(row["content"]) if row["content"] else None,
        error_message=row["error_message"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        started_at=row["started_at"],
        completed_at=row["ended_at"] if status == "completed" else None,
        tries=row["tries"],
        worker=row["worker"],
        legacy_id=row["legacy_id"],
        simulated=row["simulated"],
        waiting_for=waiting_for,
    )


def _cursor(row: RowMapping) -> str:
    return urlsafe_b64encode(f"{row['created_at'].isoformat()} {row['id']}".encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        created_at, _, id_ = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(" ")
        return datetime.fromisoformat(created_at).astimezone(UTC), id_
    except (ValueError, OverflowError) as error:
        field = {"field": "cursor", "message": "not a cursor that this API gave"}
        raise Problem(422, "cursor: not a cursor that this API gave", errors=[field]) from error
