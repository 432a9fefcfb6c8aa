"""Decides how a topic or an article of the old system is imported, from its known state. Pure; `topics.py` and
`articles.py` publish the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from api.projection.repository import KnownSubmission
from shared.ids import article_id, topic_id
from shared.text.storable import is_storable, storable
from shared.text.titles import checked_title

LARGEST_LEGACY_ID = 10**18 - 1  # the largest `/topics/{id}` takes as a number
Became = Literal["imported", "queued", "skipped"]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is out of range in UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class TopicToImport(BaseModel):
    """`content`: the card, stored as is except for U+0000; it is not validated against the current card schema."""

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
            raise ValueError("a completed topic requires content")
        if not is_storable(value):
            raise ValueError("contains infinities, lone surrogates or too many levels")
        return None if value is None else dict(storable(value))


@dataclass(frozen=True, slots=True)
class ImportVerdict:
    """`id`, `title`, `attempt`: in this system; `adopts`: the existing topic gets the legacy id."""

    old: TopicToImport
    id: str
    title: str
    attempt: int
    became: Became
    reason: str | None = None
    adopts: bool = False


def judge(topics: Sequence[TopicToImport], known: Mapping[str, KnownSubmission]) -> list[ImportVerdict]:
    """One verdict per topic, in request order; of duplicates, the first counts.

    `known`: existing submissions, by the id derived from the title.
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


def _judge_one(old: TopicToImport, existing: KnownSubmission | None) -> ImportVerdict:
    """A topic completed here is kept unless it is simulated; one removed here stays removed."""
    is_completed = old.status == "completed"
    if existing is None:
        return ImportVerdict(old, topic_id(old.title), old.title, 1, "imported" if is_completed else "queued")
    is_its_own = existing.id == topic_id(old.title)  # otherwise it matched a title given by the model
    title = old.title if is_its_own else existing.name or old.title
    here = ImportVerdict(old, existing.id, title, existing.attempt, "skipped", f"already {existing.status} here")
    if existing.status == "removed":
        return replace(here, reason="removed here")
    if is_completed and (existing.status == "failed" or (existing.status == "completed" and existing.simulated)):
        return replace(here, became="imported", attempt=existing.attempt + 1, reason=None)
    if is_completed and existing.status != "completed":
        return replace(here, became="imported", reason=None)  # the earlier end of an attempt counts
    return replace(
        here, adopts=existing.status == "completed" and existing.legacy_id is None and old.legacy_id is not None
    )


@dataclass(frozen=True, slots=True)
class ArticleImportVerdict:
    """`id`, `urn`, `attempt`: in this system."""

    id: str
    urn: str
    attempt: int
    became: Became
    reason: str | None = None


def judge_articles(urns: Sequence[str], known: Mapping[str, KnownSubmission]) -> list[ArticleImportVerdict]:
    """One verdict per URN, in request order. `known`: existing submissions, by article id."""
    judged: dict[str, ArticleImportVerdict] = {}
    verdicts = []
    for urn in urns:
        verdict = _judge_article(urn, known.get(article_id(urn)))
        if verdict.id in judged:
            verdict = replace(verdict, became="skipped", reason="the same article as one before it")
        judged.setdefault(verdict.id, verdict)
        verdicts.append(verdict)
    return verdicts


def _judge_article(urn: str, existing: KnownSubmission | None) -> ArticleImportVerdict:
    """An enriched, active or forgotten article is left as it is; a new or failed one is imported."""
    id_ = article_id(urn)
    if existing is None or existing.status == "failed":
        return ArticleImportVerdict(id_, urn, existing.attempt + 1 if existing else 1, "imported")
    reason = "forgotten here" if existing.status == "removed" else f"already {existing.status} here"
    return ArticleImportVerdict(id_, urn, existing.attempt, "skipped", reason)
