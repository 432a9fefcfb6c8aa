"""POST /topics: one TopicSubmitted per title that is neither active nor completed."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.access.callers import Caller
from api.access.scopes import require_scope
from api.dependencies import Projection, Publishing
from api.submissions.commands import queue
from api.submissions.rules import decide_topic, distinct
from shared.events import TopicSubmitted
from shared.ids import topic_id
from shared.observability.metrics import SUBMISSIONS
from shared.text.titles import checked_title

router = APIRouter()


class TopicsToSubmit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    topics: Annotated[list[Annotated[str, AfterValidator(checked_title)]], Field(min_length=1, max_length=500)]
    batch_size: Annotated[int, Field(ge=1, le=5)] = 5
    force: bool = False


class TopicNow(BaseModel):
    """`attempt`: the one that was submitted, or the newest of a topic that was skipped."""

    id: str
    title: str
    status: str
    attempt: int


class TopicsSubmitted(BaseModel):
    message: str
    total_topics: int
    saved_topics: int
    skipped_topics: int
    skipped_titles: list[str]
    topics: list[TopicNow]


@router.post("/topics", status_code=202)
async def submit_topics(
    body: TopicsToSubmit,
    projection: Projection,
    publisher: Publishing,
    caller: Annotated[Caller, require_scope("submit")],
) -> TopicsSubmitted:
    """Submit titles. A completed or active title is skipped unless `force` is set; a failed one is queued again."""
    known = await projection.find({topic_id(title) for title in body.topics})
    verdicts, skipped = distinct(
        (title, decide_topic(title, known.get(topic_id(title)), force=body.force)) for title in body.topics
    )
    now = datetime.now(UTC)
    submitted = [
        TopicSubmitted(
            id=verdict.id,
            attempt=verdict.attempt,
            title=verdict.name,
            submitted_at=now,
            submitted_by=caller.name,
            force=body.force,
            batch_size=body.batch_size,
        )
        for verdict in verdicts
        if verdict.is_due
    ]
    await queue(publisher, submitted)
    saved = len(submitted)
    SUBMISSIONS.labels("topic", "skipped").inc(len(skipped))
    return TopicsSubmitted(
        message=f"{saved} queued, {len(skipped)} skipped",
        total_topics=len(body.topics),
        saved_topics=saved,
        skipped_topics=len(skipped),
        skipped_titles=skipped[:5],
        topics=[TopicNow(id=v.id, title=v.name, status=v.status, attempt=v.attempt) for v in verdicts],
    )
