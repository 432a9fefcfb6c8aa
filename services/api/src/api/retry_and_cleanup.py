"""POST /topics/{id}/retry: the next attempt at a failed topic."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.context import ApiContext, Context
from api.problems import Problem
from api.read_topics import PATIENCE, patient_topic
from shared.db.engine import DatabaseUnreachable
from shared.events import TopicSubmitted
from shared.metrics import SUBMISSIONS
from shared.wire import encode

router = APIRouter()


class HowToRetry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    force: bool = False


class Retried(BaseModel):
    id: str
    title: str
    status: str
    attempt: int


@router.post("/topics/{id}/retry", status_code=202)
async def retry_topic(id: str, context: Context, how: HowToRetry | None = None) -> Retried:
    """Queue it again. Answers when that is projected, or after a second."""
    row = await patient_topic(context, id)
    how = how or HowToRetry()
    if row["status"] != "failed" and not how.force:
        raise Problem(409, f"the topic is {row['status']}, only a failed one is retried without force")
    submitted = TopicSubmitted(
        id=row["id"],
        attempt=row["attempt"] + 1,
        title=row["title"],
        submitted_at=datetime.now(UTC),
        submitted_by="local",
        force=how.force,
    )
    await context.publish([encode(submitted, source=context.instance)])
    SUBMISSIONS.labels("topic", "queued").inc()
    with suppress(DatabaseUnreachable):  # it is stored
        await _projected(context, submitted)
    return Retried(id=submitted.id, title=submitted.title, status="pending", attempt=submitted.attempt)


async def _projected(context: ApiContext, submitted: TopicSubmitted) -> None:
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        now = await context.projection.attempt_of(submitted.id)
        if now and now[0] >= submitted.attempt:
            return
        await asyncio.sleep(0.02)
