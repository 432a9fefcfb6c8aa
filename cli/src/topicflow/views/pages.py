"""Lists of any length: as many pages as are wanted, joined into one answer."""

import json
from collections.abc import Mapping
from typing import Any

from topicflow.client.api import ApiClient, answer_of

PAGE = 100


async def read_pages(
    api: ApiClient, what: str, query: Mapping[str, str | None], limit: int
) -> tuple[dict[str, Any], str]:
    """Of `/topics` or `/articles`: the route's answer and its text, both of the shape of one page."""
    response = await api.get(f"/{what}", **query, limit=min(limit, PAGE))
    answer, text = answer_of(response), response.text
    while (cursor := answer.get("next_cursor")) and len(answer[what]) < limit:
        count = min(limit - len(answer[what]), PAGE)
        page = answer_of(await api.get(f"/{what}", **query, limit=count, cursor=cursor))
        answer = {**page, what: [*answer[what], *page[what]], "limit": limit}
        text = json.dumps(answer, ensure_ascii=False)
    return answer, text
