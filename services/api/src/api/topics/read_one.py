"""GET /topics/{id} and its history, from the projection, with the data's age."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import RowMapping

from api.access.scopes import require_scope
from api.dependencies import Projection, Workers
from api.submissions.read import History, HowMany, contents_of, history_of, load_submission, waiting_for
from shared.events import WaitingFor
from shared.status import Status

router = APIRouter(dependencies=[require_scope("read")])


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
    submitted_by: str | None
    tries: int
    worker: str | None
    legacy_id: int | None
    simulated: bool | None
    waiting_for: WaitingFor | None


class OneTopic(Topic):
    as_of: datetime | None
    projection_lag_seconds: float | None


@router.get("/topics/{id}")
async def get_topic(id: str, projection: Projection, workers: Workers) -> OneTopic:
    """One topic with its status and content."""
    age = await projection.freshness()
    topic = to_topic(await load_submission(projection, "topic", id), workers.waiting_for())
    return OneTopic(**topic.model_dump(), **age)


@router.get("/topics/{id}/history")
async def get_history(id: str, projection: Projection, limit: HowMany = 200) -> History:
    """The newest events across all attempts, in chronological order, with the cost of each."""
    topic = await load_submission(projection, "topic", id)
    return await history_of(projection, topic["id"], limit)


def to_topic(row: RowMapping, all_wait_for: WaitingFor | None) -> Topic:
    status: Status = row["status"]
    return Topic(
        id=row["id"],
        title=row["name"] or "",
        status=status,
        attempt=row["attempt"],
        content=contents_of(row),
        error_message=row["error_message"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        started_at=row["started_at"],
        completed_at=row["ended_at"] if status == "completed" else None,
        submitted_by=row["submitted_by"],
        tries=row["tries"],
        worker=row["worker"],
        legacy_id=row["legacy_id"],
        simulated=row["simulated"],
        waiting_for=waiting_for(row, all_wait_for),
    )
