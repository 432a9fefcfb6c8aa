"""Retry and delete: one topic, or all failed topics."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping

from api.access.callers import Caller
from api.access.scopes import require_scope
from api.dependencies import Projection, Publishing
from api.errors import Conflict
from api.projection.repository import ProjectionQueries
from api.submissions.commands import projected, publish, queue, take_back
from api.submissions.list_query import Text
from api.submissions.read import load_submission
from api.submissions.schemas import Deleted, Queued
from shared.events import TopicRemoved, TopicSubmitted

router = APIRouter()
Operator = Annotated[Caller, require_scope("operate")]
TOGETHER = 500  # submissions per publish


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class HowToRetry(_Body):
    force: bool = False


class WhichFailed(_Body):
    older_than_hours: Annotated[float, Field(ge=0, le=100_000)] = 0


class WhichToRetry(WhichFailed):
    error_contains: Text | None = None


class Retried(BaseModel):
    id: str
    title: str
    status: str
    attempt: int


class CleanedUp(Deleted):
    cleaned_count: int


@router.post("/topics/{id}/retry", status_code=202)
async def retry_topic(
    id: str,
    projection: Projection,
    publisher: Publishing,
    caller: Annotated[Caller, require_scope("submit")],
    how: HowToRetry | None = None,
) -> Retried:
    """Queue the topic again. Responds once this is projected, after one second at most."""
    row = await load_submission(projection, "topic", id)
    how = how or HowToRetry()
    if row["status"] != "failed" and not how.force:
        raise Conflict(f"the topic is {row['status']}; only a failed topic can be retried without force")
    submitted = next_attempt(row, caller, force=how.force)
    await queue(publisher, [submitted])
    await projected(projection, submitted)
    return Retried(id=submitted.id, title=submitted.title, status="pending", attempt=submitted.attempt)


@router.delete("/topics/{id}")
async def delete_topic(id: str, projection: Projection, publisher: Publishing, caller: Operator) -> Deleted:
    """Remove the topic from all reads and counts. Responds once this is projected, after one second at most."""
    row = await load_submission(projection, "topic", id)

    def removal(attempt: int) -> list[TopicRemoved]:
        return [TopicRemoved(id=row["id"], attempt=attempt, by=caller.name)]

    await take_back(projection, publisher, removal, row["attempt"])
    return Deleted(message=f"deleted: {row['name'] or row['id']}")


@router.post("/topics/retry-failed", status_code=202)
async def retry_failed_topics(
    projection: Projection, publisher: Publishing, caller: Operator, which: WhichToRetry | None = None
) -> Queued:
    """Queue all failed topics again, or those whose error contains a text. Topics that fail meanwhile are left out."""
    which = which or WhichToRetry()
    count, last = 0, None
    async for rows in _failed(projection, which.older_than_hours, which.error_contains):
        submitted = [next_attempt(row, caller, force=False) for row in rows]
        await queue(publisher, submitted, stored=count)
        count, last = count + len(submitted), submitted[-1]
    if last:
        await projected(projection, last)
    return Queued(count=count)


@router.post("/cleanup-failed")
async def clean_up_failed_topics(
    projection: Projection, publisher: Publishing, caller: Operator, which: WhichFailed | None = None
) -> CleanedUp:
    """Delete all failed topics, except those that are retried meanwhile."""
    count, last = 0, None
    async for rows in _failed(projection, (which or WhichFailed()).older_than_hours):
        await publish(publisher, removed := [removal_of(row, caller) for row in rows])
        count, last = count + len(removed), removed[-1]
    if last:
        await projected(projection, last)
    return CleanedUp(message=f"{count} failed {'topic' if count == 1 else 'topics'} deleted", cleaned_count=count)


def next_attempt(row: RowMapping, caller: Caller, *, force: bool) -> TopicSubmitted:
    return TopicSubmitted(
        id=row["id"],
        attempt=row["attempt"] + 1,
        title=row["name"] or "",
        submitted_at=datetime.now(UTC),
        submitted_by=caller.name,
        force=force,
    )


def removal_of(row: RowMapping, caller: Caller) -> TopicRemoved:
    return TopicRemoved(id=row["id"], attempt=row["attempt"], by=caller.name)


async def _failed(
    projection: ProjectionQueries, older_than_hours: float, error_contains: str | None = None
) -> AsyncIterator[Sequence[RowMapping]]:
    """Pages of the topics that had failed when the iteration began."""
    until = datetime.now(UTC) - timedelta(hours=older_than_hours)
    after: tuple[datetime, str] | None = None
    while rows := await projection.failed_topics(until, after, TOGETHER, error_contains):
        yield rows
        after = rows[-1]["ended_at"], rows[-1]["id"]
