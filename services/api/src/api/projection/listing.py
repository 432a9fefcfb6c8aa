"""One page of topics or articles, with the next cursor and the data's age."""

from dataclasses import replace
from typing import Any

from sqlalchemy import RowMapping

from api.projection.cursor import cursor_after, place_of
from api.projection.filters import SubmissionQuery
from api.projection.repository import ProjectionQueries


async def paginate(
    projection: ProjectionQueries,
    query: SubmissionQuery,
    *,
    limit: int,
    cursor: str | None,
    offset: int = 0,
) -> tuple[list[RowMapping], dict[str, Any]]:
    """The rows, and the fields common to all list responses. Raises InvalidValue."""
    total = None
    if cursor:
        after, total = place_of(cursor, query)
        query = replace(query, after=after)
    age = await projection.freshness()
    page = await projection.page(query, limit=limit, offset=offset, total=total)
    return page.rows, {
        "total_count": page.total.number,
        "total_count_capped": page.total.is_capped,
        "limit": limit,
        "next_cursor": cursor_after(query, page.last, page.total) if page.last else None,
        **age,
    }
