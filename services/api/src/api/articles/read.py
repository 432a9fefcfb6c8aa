"""GET /articles and GET /articles/{urn}, from the projection, with the data's age."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import RowMapping

from api.access.scopes import require_scope
from api.dependencies import Projection, Workers
from api.projection.filters import SubmissionQuery
from api.projection.listing import paginate
from api.submissions.list_query import ListQuery
from api.submissions.read import History, HowMany, contents_of, history_of, load_submission, waiting_for
from shared.events import WaitingFor
from shared.ids import article_id
from shared.status import Status
from shared.streams import ENRICHER

router = APIRouter(dependencies=[require_scope("read")])


class Article(BaseModel):
    """`result`: the enrichment written to the catalogue, from the newest attempt that has one."""

    id: str
    urn: str
    status: Status
    attempt: int
    error_message: str | None
    created_at: datetime | None
    updated_at: datetime | None
    enriched_at: datetime | None
    result: dict[str, Any] | None
    submitted_by: str | None
    tries: int
    worker: str | None
    simulated: bool | None
    waiting_for: WaitingFor | None


class OneArticle(Article):
    as_of: datetime | None
    projection_lag_seconds: float | None


class ArticleList(BaseModel):
    articles: list[Article]
    total_count: int
    total_count_capped: bool
    limit: int
    next_cursor: str | None
    simulated: bool | None
    as_of: datetime | None
    projection_lag_seconds: float | None


@router.get("/articles")
async def list_articles(query: Annotated[ListQuery, Query()], projection: Projection, workers: Workers) -> ArticleList:
    """List articles, newest first. Continue with `next_cursor`. `search` matches part of the URN."""
    submissions = SubmissionQuery(**query.filters(), kind="article")
    rows, fields = await paginate(projection, submissions, limit=query.limit, cursor=query.cursor)
    all_wait_for = workers.waiting_for(ENRICHER)
    articles = [to_article(row, all_wait_for) for row in rows]
    return ArticleList(articles=articles, simulated=workers.simulated(ENRICHER), **fields)


@router.get("/articles/{urn}")
async def get_article(urn: str, projection: Projection, workers: Workers) -> OneArticle:
    """One article with its status and result."""
    age = await projection.freshness()
    article = to_article(
        await load_submission(projection, "article", article_id(urn), urn), workers.waiting_for(ENRICHER)
    )
    return OneArticle(**article.model_dump(), **age)


@router.get("/articles/{urn}/history")
async def get_article_history(urn: str, projection: Projection, limit: HowMany = 200) -> History:
    """The newest events across all attempts, in chronological order, with the cost of each."""
    article = await load_submission(projection, "article", article_id(urn), urn)
    return await history_of(projection, article["id"], limit)


def to_article(row: RowMapping, all_wait_for: WaitingFor | None) -> Article:
    return Article(
        id=row["id"],
        urn=row["name"] or "",
        status=row["status"],
        attempt=row["attempt"],
        error_message=row["error_message"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        enriched_at=row["content_at"],
        result=contents_of(row),
        submitted_by=row["submitted_by"],
        tries=row["tries"],
        worker=row["worker"],
        simulated=row["simulated"],
        waiting_for=waiting_for(row, all_wait_for),
    )
