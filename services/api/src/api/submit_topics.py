"""POST /topics: one TopicSubmitted per title that is neither under way nor completed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.context import Context
from api.projection import Found
from shared.events import TopicSubmitted, topic_id
from shared.wire import encode

router = APIRouter()
LONGEST_TITLE = 500


def _title(value: str) -> str:
    title = value.strip()
    if not title:
        raise ValueError("a title must not be blank")
    if len(title) > LONGEST_TITLE:
        raise ValueError(f"a title has at most {LONGEST_TITLE} characters, this one has {len(title)}")
    if any(ord(character) < 32 and not character.isspace() for character in title):
        raise ValueError("a title must not have control characters")
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
    """On one distinct title: the submission it is, the attempt to ask for, or None to skip it."""

    id: str
    title: str
    status: str
    attempt: int | None


@router.post("/topics", status_code=202)
async def submit_topics(body: TopicsToSubmit, context: Context) -> TopicsSubmitted:
    """Submit titles. A title that is completed or under way is skipped, unless forced; a failed one is queued again."""
    ids = {title: topic_id(title) for title in body.topics}
    known = await context.projection.find(set(ids.values()))
    verdicts = judge(ids, known, force=body.force)
    now = datetime.now(UTC)
    await context.transport.publish(
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
            for verdict in verdicts.values()
            if verdict.attempt
        ]
    )
    return _answer(body.topics, ids, verdicts)


def judge(ids: Mapping[str, str], known: Mapping[str, Found], *, force: bool) -> dict[str, Verdict]:
    """By id of the title, in the order sent. `known`: submissions by their id and by that of their content's title."""
    verdicts: dict[str, Verdict] = {}
    for title, id_ in ids.items():
        if id_ in verdicts:
            continue
        found = known.get(id_)
        if found is None:
            verdicts[id_] = Verdict(id_, title, "pending", 1)
        elif found.status in {"failed", "removed"} or force:
            verdicts[id_] = Verdict(found.id, title, "pending", found.attempt + 1)
        else:
            verdicts[id_] = Verdict(found.id, found.title or title, found.status, None)
    return verdicts


def _answer(titles: Sequence[str], ids: Mapping[str, str], verdicts: Mapping[str, Verdict]) -> TopicsSubmitted:
    first_of: dict[str, int] = {}
    for n, title in enumerate(titles):
        first_of.setdefault(ids[title], n)
    skipped = [t for n, t in enumerate(titles) if first_of[ids[t]] != n or verdicts[ids[t]].attempt is None]
    saved = len(titles) - len(skipped)
    shown = {v.id: TopicNow(id=v.id, title=v.title, status=v.status) for v in verdicts.values()}
    return TopicsSubmitted(
        message=f"{saved} queued, {len(skipped)} skipped",
        total_topics=len(titles),
        saved_topics=saved,
        skipped_topics=len(skipped),
        skipped_titles=skipped[:5],
        topics=list(shown.values()),
    )
