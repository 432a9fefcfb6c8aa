"""Reads as many pages of a list as requested and joins them into one response."""

import json
from collections.abc import Mapping
from typing import Any

from topicflow.client.api import ApiClient, answer_of

PAGE_SIZE = 100


async def read_pages(
    api: ApiClient, collection: str, query: Mapping[str, str | None], limit: int
) -> tuple[dict[str, Any], str]:
    """`collection`: topics or articles. Returns the response and its JSON text, both in the shape of one page."""
    response = await api.get(f"/{collection}", **query, limit=min(limit, PAGE_SIZE))
    answer, text = answer_of(response), response.text
    while (cursor := answer.get("next_cursor")) and len(answer[collection]) < limit:
        count = min(limit - len(answer[collection]), PAGE_SIZE)
        page = answer_of(await api.get(f"/{collection}", **query, limit=count, cursor=cursor))
        answer = {**page, collection: [*answer[collection], *page[collection]], "limit": limit}
        text = json.dumps(answer, ensure_ascii=False)
    return answer, text
