"""GET /topics/{id} and its history: what the projection has, and how old that is."""

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import RowMapping

from api.access import may
from api.context import ApiContext, Context
from api.problems import Problem
from api.staleness import projected_up_to_now, staleness
from shared.events import WaitingFor
from shared.status import Status

router = APIRouter(dependencies=[may("read")])
PATIENCE = 1.0  # seconds that a read waits for the projection


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
    is_complete: bool  # False: there are older events than `limit` asked for


@router.get("/topics/{id}")
async def get_topic(id: str, context: Context) -> OneTopic:
    age = await staleness(context)
    topic = shown(await patient_topic(context, id), context.workers.waiting_for)
    return OneTopic(**topic.model_dump(), **age)


@router.get("/topics/{id}/history")
async def get_history(id: str, context: Context, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> History:
    """The newest events of all its attempts, in the order of their time, with what was paid in each."""
    topic = await patient_topic(context, id)
    rows = await context.projection.history(topic["id"], limit + 1)
    shown = [HistoryEvent.model_validate(dict(row)) for row in reversed(rows[:limit])]
    return History(id=topic["id"], events=shown, is_complete=len(rows) <= limit)


async def patient_topic(context: ApiContext, id_: str) -> RowMapping:
    """An unknown id is waited for until all that was stored before is projected. Raises Problem 404."""
    row = await context.projection.topic(id_)
    if row is None:
        await projected_up_to_now(context, PATIENCE)
        row = await context.projection.topic(id_)
    if row is None:
        raise Problem(404, f"there is no topic {id_[:80]!r}")
    return row


def shown(row: RowMapping, all_wait_for: WaitingFor | None) -> Topic:
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
