"""POST /topics: one TopicSubmitted per title that is neither under way nor completed."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.context import Context
from api.projection import Found
from shared.events import TopicSubmitted, topic_id
from shared.metrics import SUBMISSIONS
from shared.wire import encode

router = APIRouter()
LONGEST_TITLE = 500


def _title(value: str) -> str:
    title = value.strip()
    if not title:
        raise ValueError("a title must not be blank")
    if len(title) > LONGEST_TITLE:
        raise ValueError(f"a title has at most {LONGEST_TITLE} characters, this one has {len(title)}")
    if any(unicodedata.category(character) in {"Cc", "Cs"} and not character.isspace() for character in title):
        raise ValueError("a title must not have control characters or halves of surrogate pairs")
    return title


class TopicsToSubmit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    topics: Annotated[list[Annotated[str, AfterValidator(_title)]], Field(min_length=1, max_length=500)]
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
async def submit_topics(body: TopicsToSubmit, context: Context) -> TopicsSubmitted:
    """Submit titles. A title that is completed or under way is skipped, unless forced; a failed one is queued again."""
    known = await context.projection.find({topic_id(title) for title in body.topics})
    verdicts, skipped = judge(body.topics, known, force=body.force)
    now = datetime.now(UTC)
    await context.publish(
        [
            encode(
                TopicSubmitted(
                    id=verdict.id,
                    attempt=verdict.attempt,
                    title=verdict.title,
                    submitted_at=now,
                    submitted_by="local",
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


def judge(titles: Sequence[str], known: Mapping[str, Found], *, force: bool) -> tuple[list[Verdict], list[str]]:
    """One verdict on each submission that the titles mean, and the titles to skip, both in the order sent.

    `known`: what there is, by the id of the title that means it.
    """
    verdicts: dict[str, Verdict] = {}
    skipped = []
    for title in titles:
        verdict = _judge_one(title, known.get(topic_id(title)), force)
        if verdict.attempt is None or verdict.id in verdicts:
            skipped.append(title)
        verdicts.setdefault(verdict.id, verdict)
    return list(verdicts.values()), skipped


def _judge_one(title: str, found: Found | None, force: bool) -> Verdict:
    if found is None:
        return Verdict(topic_id(title), title, "pending", 1)
    if found.status not in {"failed", "removed"} and not force:
        return Verdict(found.id, found.title or title, found.status, None)
    is_its_own = found.id == topic_id(title)  # else it is what the model called it
    return Verdict(found.id, title if is_its_own else found.title or title, "pending", found.attempt + 1)
