"""Retry or delete many topics by id, with a verdict for each."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping

from api.access.callers import Caller
from api.access.scopes import require_scope
from api.dependencies import Projection, Publishing
from api.projection.repository import ProjectionQueries
from api.submissions.commands import projected, publish, queue
from api.topics.retry_and_delete import next_attempt, removal_of
from shared.status import Status

router = APIRouter()
Operator = Annotated[Caller, require_scope("operate")]
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]


class TopicIds(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[Id], Field(min_length=1, max_length=500)]


class TopicsToRetry(TopicIds):
    force: bool = False


class RetryVerdict(BaseModel):
    """`status`: after this request; `attempt`: the one that was queued, or the newest."""

    id: str
    verdict: Literal["queued", "skipped", "not_found"]
    status: Status | None
    attempt: int | None


class DeleteVerdict(BaseModel):
    id: str
    verdict: Literal["deleted", "not_found"]


class TopicsRetried(BaseModel):
    count: int
    topics: list[RetryVerdict]


class TopicsDeleted(BaseModel):
    count: int
    topics: list[DeleteVerdict]


@router.post("/topics/retry", status_code=202)
async def retry_topics(
    body: TopicsToRetry, projection: Projection, publisher: Publishing, caller: Operator
) -> TopicsRetried:
    """Queue failed topics again, with `force` any; one verdict per distinct id. Responds once the last one is
    projected, after one second at most."""
    known = await _known(projection, body.ids)
    submitted = {
        id_: next_attempt(row, caller, force=body.force)
        for id_, row in known.items()
        if body.force or row["status"] == "failed"
    }
    if events := list({event.id: event for event in submitted.values()}.values()):  # by id and legacy id it is one
        await queue(publisher, events)
        await projected(projection, events[-1])

    def verdict(id_: str) -> RetryVerdict:
        if id_ not in known:
            return RetryVerdict(id=id_, verdict="not_found", status=None, attempt=None)
        if queued := submitted.get(id_):
            return RetryVerdict(id=id_, verdict="queued", status="pending", attempt=queued.attempt)
        row = known[id_]
        return RetryVerdict(id=id_, verdict="skipped", status=row["status"], attempt=row["attempt"])

    return TopicsRetried(count=len(events), topics=list(map(verdict, dict.fromkeys(body.ids))))


@router.post("/topics/delete")
async def delete_topics(
    body: TopicIds, projection: Projection, publisher: Publishing, caller: Operator
) -> TopicsDeleted:
    """Remove topics from all reads and counts. Responds once the last one is projected, after one second at most. A
    topic that is retried meanwhile keeps its new attempt."""
    known = await _known(projection, body.ids)
    if removals := [removal_of(row, caller) for row in {row["id"]: row for row in known.values()}.values()]:
        await publish(publisher, removals)
        await projected(projection, removals[-1])
    verdicts = (
        DeleteVerdict(id=id_, verdict="deleted" if id_ in known else "not_found") for id_ in dict.fromkeys(body.ids)
    )
    return TopicsDeleted(count=len(removals), topics=list(verdicts))


async def _known(projection: ProjectionQueries, ids: list[str]) -> Mapping[str, RowMapping]:
    """Ids that are unknown are looked up again once everything stored so far is projected."""
    known = await projection.topics(ids)
    if len(known) < len(set(ids)):
        await projection.wait_until_current()
        known = await projection.topics(ids)
    return known
