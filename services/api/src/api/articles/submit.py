"""POST /articles: one ArticleSubmitted per URN that is neither under way nor enriched."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.access.scopes import Caller, require_scope
from api.dependencies import ApiContext, Context
from api.projection.repository import KnownSubmission
from api.submissions.commands import queue
from api.submissions.rules import is_edited, is_open, judge
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
    """`input_hashes`: by URN, of texts as whoever sends it has just read them. Then what is enriched is submitted again
    if its text is another one, and what failed if it is, or failed a day ago."""

    model_config = ConfigDict(extra="forbid")

    urns: Annotated[list[Urn], Field(min_length=1, max_length=200)]
    force: bool = False
    input_hashes: Annotated[dict[Urn, InputHash], Field(max_length=200)] = {}


class HowToEnrich(BaseModel):
    model_config = ConfigDict(extra="forbid")

    force: bool = False


class ArticleNow(BaseModel):
    id: str
    urn: str
    status: str


class ArticlesSubmitted(BaseModel):
    accepted: int
    skipped: int
    articles: list[ArticleNow]


@router.post("/articles", status_code=202)
async def submit_articles(body: ArticlesToSubmit, context: Context, caller: Submitter) -> ArticlesSubmitted:
    """Submit URNs. What is enriched or under way is skipped, unless forced; what failed is queued again."""
    return await _submit(context, body.urns, caller, body.input_hashes, force=body.force)


@router.post("/articles/{urn}/enrich", status_code=202)
async def enrich_article(
    urn: Urn, context: Context, caller: Submitter, how: HowToEnrich | None = None
) -> ArticlesSubmitted:
    """One article, the same way."""
    return await _submit(context, [urn], caller, {}, force=bool(how and how.force))


async def _submit(
    context: ApiContext, urns: Sequence[str], caller: Caller, hashes: Mapping[str, str], *, force: bool
) -> ArticlesSubmitted:
    now = datetime.now(UTC)

    def is_due(urn: str, found: KnownSubmission) -> bool:
        hash_ = hashes.get(urn)
        return is_open(found, force=force) if force or hash_ is None else is_edited(found, hash_, now)

    ids = [article_id(urn) for urn in urns]
    known = await context.projection.find(set(ids))
    verdicts, skipped = judge(urns, ids, known, is_due)
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
        if verdict.attempt
    ]
    await queue(context, submitted)
    adopted = [_adopted(known[v.id], hash_) for v in verdicts if v.id in known and (hash_ := hashes.get(v.name))]
    await context.publish([record for record in adopted if record])
    SUBMISSIONS.labels("article", "skipped").inc(len(skipped))
    return ArticlesSubmitted(
        accepted=len(submitted),
        skipped=len(skipped),
        articles=[ArticleNow(id=verdict.id, urn=verdict.name, status=verdict.status) for verdict in verdicts],
    )


def _adopted(found: KnownSubmission, input_hash: str) -> Record | None:
    """What was enriched elsewhere has the text of now. Told as a moment earlier, for the earlier end counts."""
    if found.status != "completed" or found.input_hash or found.ended_at is None:
        return None
    told = SubmissionCompleted(
        id=found.id,
        attempt=found.attempt,
        kind="article",
        urn=found.title,
        submitted_at=found.ended_at,
        run=SCAN,
        worker=SCAN,
        skipped=True,
        input_hash=input_hash,
    )
    return encode(told, source=SCAN, time=found.ended_at - timedelta(microseconds=1))
