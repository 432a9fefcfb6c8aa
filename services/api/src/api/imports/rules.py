"""What becomes of a topic or an article of the old system, by what is known of it here. Pure; `topics.py` and
`articles.py` publish it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from api.projection.repository import KnownSubmission
from shared.ids import article_id, topic_id
from shared.text.storable import is_storable, storable
from shared.text.titles import checked_title

LARGEST_LEGACY_ID = 10**18 - 1  # what `/topics/{id}` takes for a number
Became = Literal["imported", "queued", "skipped"]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("there is no such time in UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class TopicToImport(BaseModel):
    """`content`: its card as it is, but for U+0000; no rule of today's cards is held against it."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, AfterValidator(checked_title)]
    legacy_id: Annotated[int | None, Field(ge=0, le=LARGEST_LEGACY_ID)] = None
    status: Literal["completed", "failed", "pending"]
    content: Annotated[dict[str, Any] | None, Field(validate_default=True)] = None
    created_at: Moment | None = None
    completed_at: Moment | None = None

    @field_validator("content")
    @classmethod
    def _is_there_and_storable(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        if value is None and info.data.get("status") == "completed":
            raise ValueError("a completed topic needs its content")
        if not is_storable(value):
            raise ValueError("has infinities, halves of surrogate pairs or too many levels")
        return None if value is None else dict(storable(value))


@dataclass(frozen=True, slots=True)
class ImportVerdict:
    """`id`, `title`, `attempt`: what it is here; `adopts`: what is here already gets the old number."""

    old: TopicToImport
    id: str
    title: str
    attempt: int
    became: Became
    reason: str | None = None
    adopts: bool = False


def judge(topics: Sequence[TopicToImport], known: Mapping[str, KnownSubmission]) -> list[ImportVerdict]:
    """One each, in the order sent; of those that are the same topic the first one counts.

    `known`: what there is, by the id of the title that means it.
    """
    first: dict[str, ImportVerdict] = {}
    judged = []
    for old in topics:
        judgement = _judge_one(old, known.get(topic_id(old.title)))
        if judgement.id in first:
            judgement = replace(judgement, became="skipped", adopts=False, reason="the same topic as one before it")
        first.setdefault(judgement.id, judgement)
        judged.append(judgement)
    return judged


def _judge_one(old: TopicToImport, found: KnownSubmission | None) -> ImportVerdict:
    """What is completed here stays, unless a simulator wrote it; what was removed here stays away."""
    is_completed = old.status == "completed"
    if found is None:
        return ImportVerdict(old, topic_id(old.title), old.title, 1, "imported" if is_completed else "queued")
    is_its_own = found.id == topic_id(old.title)  # else it is what the model called it
    title = old.title if is_its_own else found.title or old.title
    here = ImportVerdict(old, found.id, title, found.attempt, "skipped", f"{found.status} here already")
    if found.status == "removed":
        return replace(here, reason="removed here")
    if is_completed and (found.status == "failed" or (found.status == "completed" and found.simulated)):
        return replace(here, became="imported", attempt=found.attempt + 1, reason=None)
    if is_completed and found.status != "completed":
        return replace(here, became="imported", reason=None)  # the older end of one attempt counts
    return replace(here, adopts=found.status == "completed" and found.legacy_id is None and old.legacy_id is not None)


@dataclass(frozen=True, slots=True)
class ArticleImportVerdict:
    """What it is here."""

    id: str
    urn: str
    attempt: int
    became: Became
    reason: str | None = None


def judge_articles(urns: Sequence[str], known: Mapping[str, KnownSubmission]) -> list[ArticleImportVerdict]:
    """Enriched ones, one each, in the order sent. `known`: what there is, by the article's id."""
    judged: dict[str, ArticleImportVerdict] = {}
    verdicts = []
    for urn in urns:
        verdict = _judge_article(urn, known.get(article_id(urn)))
        if verdict.id in judged:
            verdict = replace(verdict, became="skipped", reason="the same article as one before it")
        judged.setdefault(verdict.id, verdict)
        verdicts.append(verdict)
    return verdicts


def _judge_article(urn: str, found: KnownSubmission | None) -> ArticleImportVerdict:
    """What was enriched, is under way or was forgotten here stays so; what only failed here is done elsewhere."""
    id_ = article_id(urn)
    if found is None or found.status == "failed":
        return ArticleImportVerdict(id_, urn, found.attempt + 1 if found else 1, "imported")
    reason = "forgotten here" if found.status == "removed" else f"{found.status} here already"
    return ArticleImportVerdict(id_, urn, found.attempt, "skipped", reason)
