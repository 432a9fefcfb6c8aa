"""POST /articles: one ArticleSubmitted per URN that is neither active nor enriched."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.access.callers import Caller
from api.access.scopes import require_scope
from api.dependencies import Projection, Publishing
from api.projection.repository import KnownSubmission, ProjectionQueries
from api.publisher import EventPublisher
from api.submissions.commands import queue
from api.submissions.rules import decide_article, distinct
from shared.events import SCAN, ArticleSubmitted, SubmissionCompleted
from shared.ids import article_id
from shared.messaging.cloudevents import Record, encode
from shared.observability.metrics import SUBMISSIONS
from shared.text.urns import checked_urn

router = APIRouter()
Submitter = Annotated[Caller, require_scope("submit")]
InputHash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Urn = Annotated[str, AfterValidator(checked_urn)]


class ArticlesToSubmit(BaseModel):
    """`input_hashes`: by URN, the hash of the current text. With a hash, an enriched article is submitted again if its
    text has changed; a failed one, if its text has changed or it failed more than a day ago."""

    model_config = ConfigDict(extra="forbid")

    urns: Annotated[list[Urn], Field(min_length=1, max_length=200)]
    force: bool = False
    input_hashes: Annotated[dict[Urn, InputHash], Field(max_length=200)] = {}


class HowToEnrich(BaseModel):
    model_config = ConfigDict(extra="forbid")

    force: bool = False


class ArticleNow(BaseModel):
    """`attempt`: the one that was submitted, or the newest of an article that was skipped."""

    id: str
    urn: str
    status: str
    attempt: int


class ArticlesSubmitted(BaseModel):
    accepted: int
    skipped: int
    articles: list[ArticleNow]


@router.post("/articles", status_code=202)
async def submit_articles(
    body: ArticlesToSubmit, projection: Projection, publisher: Publishing, caller: Submitter
) -> ArticlesSubmitted:
    """Submit URNs. An enriched or active article is skipped unless `force` is set; a failed one is queued again."""
    return await _submit(projection, publisher, body.urns, caller, body.input_hashes, force=body.force)


@router.post("/articles/{urn}/enrich", status_code=202)
async def enrich_article(
    urn: Urn, projection: Projection, publisher: Publishing, caller: Submitter, how: HowToEnrich | None = None
) -> ArticlesSubmitted:
    """Submit one article, by the same rules as `POST /articles`."""
    return await _submit(projection, publisher, [urn], caller, {}, force=bool(how and how.force))


async def _submit(
    projection: ProjectionQueries,
    publisher: EventPublisher,
    urns: Sequence[str],
    caller: Caller,
    hashes: Mapping[str, str],
    *,
    force: bool,
) -> ArticlesSubmitted:
    now = datetime.now(UTC)
    known = await projection.find({article_id(urn) for urn in urns})
    verdicts, skipped = distinct(
        (urn, decide_article(urn, known.get(article_id(urn)), force=force, input_hash=hashes.get(urn), now=now))
        for urn in urns
    )
    submitted = [
        ArticleSubmitted(
            id=verdict.id,
            attempt=verdict.attempt,
            urn=verdict.name,
            submitted_at=now,
            submitted_by=caller.name,
            force=force,
            input_hash=hashes.get(verdict.name),
        )
        for verdict in verdicts
        if verdict.is_due
    ]
    await queue(publisher, submitted)
    adopted = [_adopted(known[v.id], hash_) for v in verdicts if v.id in known and (hash_ := hashes.get(v.name))]
    await publisher.publish([record for record in adopted if record])
    SUBMISSIONS.labels("article", "skipped").inc(len(skipped))
    return ArticlesSubmitted(
        accepted=len(submitted),
        skipped=len(skipped),
        articles=[ArticleNow(id=v.id, urn=v.name, status=v.status, attempt=v.attempt) for v in verdicts],
    )


def _adopted(existing: KnownSubmission, input_hash: str) -> Record | None:
    """An imported article gets the hash of its current text. The event is dated 1 µs earlier because the earlier end
    counts."""
    if existing.status != "completed" or existing.input_hash or existing.ended_at is None:
        return None
    completed = SubmissionCompleted(
        id=existing.id,
        attempt=existing.attempt,
        kind="article",
        urn=existing.name,
        submitted_at=existing.ended_at,
        run=SCAN,
        worker=SCAN,
        skipped=True,
        input_hash=input_hash,
    )
    return encode(completed, source=SCAN, time=existing.ended_at - timedelta(microseconds=1))
