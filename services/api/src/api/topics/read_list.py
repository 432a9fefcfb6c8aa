"""GET /topics and its filter options, from the projection, with the data's age."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.access.scopes import require_scope
from api.dependencies import Projection, Workers
from api.projection.filters import SubmissionQuery
from api.projection.listing import paginate
from api.submissions.list_query import ListQuery, Text
from api.topics.read_one import Topic, to_topic
from shared.db.facets import FACETS

router = APIRouter(dependencies=[require_scope("read")])


class TopicQuery(ListQuery):
    category: Text | None = None
    subcategory: Text | None = None
    company: Text | None = None
    complexity: Text | None = None
    tag: Text | None = None
    technology: Text | None = None
    sort_by: Literal["created_at", "updated_at", "title", "status", "difficulty"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    offset: Annotated[int, Field(ge=0, le=100_000)] = 0

    def as_query(self) -> SubmissionQuery:
        facets = {name: value for name in FACETS if (value := getattr(self, name)) is not None}
        ascending = self.sort_order == "asc"
        return SubmissionQuery(**self.filters(), facets=facets, sort_by=self.sort_by, ascending=ascending)


class Topics(BaseModel):
    topics: list[Topic]
    total_count: int
    total_count_capped: bool
    limit: int
    offset: int
    next_cursor: str | None
    simulated: bool | None
    as_of: datetime | None
    projection_lag_seconds: float | None


@router.get("/topics")
async def list_topics(query: Annotated[TopicQuery, Query()], projection: Projection, workers: Workers) -> Topics:
    """List topics by page. Continue with `next_cursor`; `offset` exists for old clients.

    Sorted by `created_at` or `title`, which never change, pagination returns every topic exactly once, even during
    concurrent writes. In any other order, a topic whose position changes may be repeated or missed.
    """
    rows, fields = await paginate(
        projection,
        query.as_query(),
        limit=query.limit,
        cursor=query.cursor,
        offset=query.offset,
    )
    waiting_for = workers.waiting_for()
    topics = [to_topic(row, waiting_for) for row in rows]
    return Topics(topics=topics, offset=query.offset, simulated=workers.simulated(), **fields)


class Filters(BaseModel):
    categories: list[str]
    subcategories: list[str]
    companies: list[str]
    technologies: list[str]
    tags: list[str]
    complexity_levels: list[str]


@router.get("/topics/filter-options")
async def filter_options(projection: Projection) -> Filters:
    """The values of each filter, at most the 1,000 most used ones."""
    values = await projection.facet_values(FACETS)
    return Filters(
        categories=values["category"],
        subcategories=values["subcategory"],
        companies=values["company"],
        technologies=values["technology"],
        tags=values["tag"],
        complexity_levels=values["complexity"],
    )
