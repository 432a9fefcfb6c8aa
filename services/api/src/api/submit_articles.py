"""POST /articles: one ArticleSubmitted per URN that is neither under way nor enriched."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.access import Caller, may
from api.context import ApiContext, Context
from api.judge_submission import judge
from shared.events import ArticleSubmitted, article_id
from shared.metrics import SUBMISSIONS
from shared.urn import checked_urn
from shared.wire import encode

router = APIRouter()
Submitter = Annotated[Caller, may("submit")]
Urn = Annotated[str, AfterValidator(checked_urn)]


class ArticlesToSubmit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    urns: Annotated[list[Urn], Field(min_length=1, max_length=200)]
    force: bool = False


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
    return await _submit(context, body.urns, caller, force=body.force)


@router.post("/articles/{urn}/enrich", status_code=202)
async def enrich_article(
    urn: Urn, context: Context, caller: Submitter, how: HowToEnrich | None = None
) -> ArticlesSubmitted:
    """One article, the same way."""
    return await _submit(context, [urn], caller, force=bool(how and how.force))


async def _submit(context: ApiContext, urns: Sequence[str], caller: Caller, *, force: bool) -> ArticlesSubmitted:
    ids = [article_id(urn) for urn in urns]
    verdicts, skipped = judge(urns, ids, await context.projection.find(set(ids)), force=force)
    now = datetime.now(UTC)
    submitted = [
        ArticleSubmitted(
            id=verdict.id,
            attempt=verdict.attempt,
            urn=verdict.name,
            submitted_at=now,
            submitted_by=caller.name,
            force=force,
        )
        for verdict in verdicts
        if verdict.attempt
    ]
    await context.publish_work([encode(event, source=context.instance) for event in submitted])
    SUBMISSIONS.labels("article", "queued").inc(len(submitted))
    SUBMISSIONS.labels("article", "skipped").inc(len(skipped))
    return ArticlesSubmitted(
        accepted=len(submitted),
        skipped=len(skipped),
        articles=[ArticleNow(id=verdict.id, urn=verdict.name, status=verdict.status) for verdict in verdicts],
    )
