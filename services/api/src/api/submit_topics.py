"""POST /topics: one TopicSubmitted per title that is neither under way nor completed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.access import Caller, may
from api.context import Context
from api.projection import Found
from shared.events import TopicSubmitted, topic_id
from shared.metrics import SUBMISSIONS
from shared.title import checked_title
from shared.wire import encode

router = APIRouter()


class TopicsToSubmit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    topics: Annotated[list[Annotated[str, AfterValidator(checked_title)]], Field(min_length=1, max_length=500)]
    batch_size: Annotated[int, Field(ge=1, le=5)] = 5
    force: bool = False


class TopicNow(BaseModel):
    id: str
    title: str
    status: str


class TopicsSubmitted(BaseModel):
    message: str
    total_topics: int
    saved_topics: int
    skipped_topics: int
    skipped_titles: list[str]
    topics: list[TopicNow]


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one submission: its title and status now, and the attempt to ask for, or None to skip it."""

    id: str
    title: str
    status: str
    attempt: int | None


@router.post("/topics", status_code=202)
async def submit_topics(
    body: TopicsToSubmit, context: Context, caller: Annotated[Caller, may("submit")]
) -> TopicsSubmitted:
    """Submit titles. A title that is completed or under way is skipped, unless forced; a failed one is queued again."""
    ids = [topic_id(title) for title in body.topics]
    verdicts, skipped = judge(body.topics, ids, await context.projection.find(set(ids)), force=body.force)
    now = datetime.now(UTC)
    await context.publish_work(
        [
            encode(
                TopicSubmitted(
                    id=verdict.id,
                    attempt=verdict.attempt,
                    title=verdict.title,
                    submitted_at=now,
                    submitted_by=caller.name,
                    force=body.force,
                    batch_size=body.batch_size,
                ),
                source=context.instance,
            )
            for verdict in verdicts
            if verdict.attempt
        ]
    )
    saved = len(body.topics) - len(skipped)
    SUBMISSIONS.labels("topic", "queued").inc(saved)
    SUBMISSIONS.labels("topic", "skipped").inc(len(skipped))
    return TopicsSubmitted(
        message=f"{saved} queued, {len(skipped)} skipped",
        total_topics=len(body.topics),
        saved_topics=saved,
        skipped_topics=len(skipped),
        skipped_titles=skipped[:5],
        topics=[TopicNow(id=verdict.id, title=verdict.title, status=verdict.status) for verdict in verdicts],
    )


def judge(
    titles: Sequence[str], ids: Sequence[str], known: Mapping[str, Found], *, force: bool
) -> tuple[list[Verdict], list[str]]:
    """One verdict on each submission that the titles mean, and the titles to skip, both in the order sent.

    `ids`: the title's own; `known`: what there is, by the id of the title that means it.
    """
    verdicts: dict[str, Verdict] = {}
    skipped = []
    for title, id_ in zip(titles, ids, strict=True):
        verdict = _judge_one(title, id_, known.get(id_), force)
        if verdict.attempt is None or verdict.id in verdicts:
            skipped.append(title)
        verdicts.setdefault(verdict.id, verdict)
    return list(verdicts.values()), skipped


def _judge_one(title: str, id_: str, found: Found | None, force: bool) -> Verdict:
    if found is None:
        return Verdict(id_, title, "pending", 1)
    if found.status not in {"failed", "removed"} and not force:
        return Verdict(found.id, found.title or title, found.status, None)
    is_its_own = found.id == id_  # else it is what the model called it
    return Verdict(found.id, title if is_its_own else found.title or title, "pending", found.attempt + 1)
