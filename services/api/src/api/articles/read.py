"""GET /articles and one of them: what the projection has, and how old that is."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping

from api.access.scopes import require_scope
from api.dependencies import Context
from api.projection.cursor import LONGEST
from api.projection.filters import SubmissionQuery
from api.projection.freshness import freshness
from api.projection.listing import paginate
from api.submissions.commands import History, HowMany, contents_of, found, history_of, waiting_for
from shared.events import WaitingFor
from shared.ids import article_id
from shared.status import Status
from shared.streams import ENRICHER

router = APIRouter(dependencies=[require_scope("read")])


class ArticleQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    search: Annotated[str | None, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str | None, Field(max_length=LONGEST)] = None

    def as_query(self) -> SubmissionQuery:
        return SubmissionQuery(self.status, self.search, kind="article")


class Article(BaseModel):
    """`result`: what was found out and is in the catalogue, of the newest attempt that has some."""

    id: str
    urn: str
    status: Status
    attempt: int
    error_message: str | None
    created_at: datetime | None
    updated_at: datetime | None
    enriched_at: datetime | None
    result: dict[str, Any] | None
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
async def list_articles(wanted: Annotated[ArticleQuery, Query()], context: Context) -> ArticleList:
    """The newest first; go on with `next_cursor`. `search` is for a part of the URN."""
    rows, about = await paginate(
        context.projection, context.transport, wanted.as_query(), limit=wanted.limit, cursor=wanted.cursor
    )
    all_wait_for = context.workers.waiting_for(ENRICHER)
    articles = [shown(row, all_wait_for) for row in rows]
    return ArticleList(articles=articles, simulated=context.workers.simulated(ENRICHER), **about)


@router.get("/articles/{urn}")
async def get_article(urn: str, context: Context) -> OneArticle:
    age = await freshness(context.projection, context.transport)
    article = shown(await found(context, "article", article_id(urn), urn), context.workers.waiting_for(ENRICHER))
    return OneArticle(**article.model_dump(), **age)


@router.get("/articles/{urn}/history")
async def get_article_history(urn: str, context: Context, limit: HowMany = 200) -> History:
    """The newest events of all its attempts, in the order of their time, with what was paid in each."""
    article = await found(context, "article", article_id(urn), urn)
    return await history_of(context, article["id"], limit)


def shown(row: RowMapping, all_wait_for: WaitingFor | None) -> Article:
    return Article(
        id=row["id"],
        urn=row["title"] or "",
        status=row["status"],
        attempt=row["attempt"],
        error_message=row["error_message"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        enriched_at=row["content_at"],
        result=contents_of(row),
        tries=row["tries"],
        worker=row["worker"],
        simulated=row["simulated"],
        waiting_for=waiting_for(row, all_wait_for),
    )
