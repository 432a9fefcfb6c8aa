"""Reprocess many articles, or mark one as not enriched."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import RowMapping

from api.access.callers import Caller
from api.access.scopes import require_scope
from api.dependencies import Projection, Publishing
from api.projection.filters import SubmissionQuery
from api.projection.repository import ProjectionQueries
from api.submissions.commands import projected, queue, take_back
from api.submissions.list_query import Text
from api.submissions.read import load_submission
from api.submissions.schemas import Deleted, Queued
from shared.events import ArticleRemoved, ArticleSubmitted, ForgetArticle
from shared.ids import article_id

router = APIRouter()
Operator = Annotated[Caller, require_scope("operate")]
TOGETHER = 200  # submissions per publish
ENDED = ("completed", "failed")


class WhichArticles(BaseModel):
    model_config = ConfigDict(extra="forbid")

    status: Literal["completed", "failed"] | None = None
    search: Text | None = None


@router.post("/articles/reprocess", status_code=202)
async def reprocess_articles(
    projection: Projection, publisher: Publishing, caller: Operator, which: WhichArticles | None = None
) -> Queued:
    """Start the next attempt for all completed or failed articles, or those that match, even with unchanged text."""
    which = which or WhichArticles()
    count, last = 0, None
    for status in [which.status] if which.status else ENDED:
        query = SubmissionQuery(status, which.search, sort_by="created_at", kind="article")
        async for rows in _pages(projection, query):
            submitted = [_next_attempt(row, caller) for row in rows]
            await queue(publisher, submitted, stored=count)
            count, last = count + len(submitted), submitted[-1]
    if last:
        await projected(projection, last)
    return Queued(count=count)


@router.delete("/articles/{urn}/enrichment")
async def forget_enrichment(urn: str, projection: Projection, publisher: Publishing, caller: Operator) -> Deleted:
    """Forget the article: no read shows it until it is submitted again. The catalogue follows soon after."""
    row = await load_submission(projection, "article", article_id(urn), urn)
    now = datetime.now(UTC)

    def removal(attempt: int) -> tuple[ForgetArticle, ArticleRemoved]:
        return (
            ForgetArticle(id=row["id"], attempt=attempt, urn=row["name"], submitted_at=now),
            ArticleRemoved(id=row["id"], attempt=attempt, by=caller.name),
        )

    await take_back(projection, publisher, removal, row["attempt"])
    return Deleted(message=f"forgotten: {row['name']}")


async def _pages(projection: ProjectionQueries, query: SubmissionQuery) -> AsyncIterator[Sequence[RowMapping]]:
    """Pages in order of creation, which never changes: each article exactly once."""
    while rows := (await projection.page(query, limit=TOGETHER)).rows:
        yield rows
        query = replace(query, after=(rows[-1]["created_at"], rows[-1]["id"]))


def _next_attempt(row: RowMapping, caller: Caller) -> ArticleSubmitted:
    return ArticleSubmitted(
        id=row["id"],
        attempt=row["attempt"] + 1,
        urn=row["name"],
        submitted_at=datetime.now(UTC),
        submitted_by=caller.name,
        force=True,
    )
