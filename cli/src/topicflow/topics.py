"""`topicflow topics`: list, show and retry. Registered in `app`."""

import json
import re
from typing import Any

from rich.table import Table
from rich.text import Text

from topicflow.api_client import ApiClient, answer_of
from topicflow.screen.plain_text import one_line
from topicflow.screen.state_picture import STYLES
from topicflow.screen.times import local_time

PAGE = 100
_AN_ID = re.compile(r"[0-9]+|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


async def list_topics(
    api: ApiClient, *, status: str | None, search: str | None, limit: int
) -> tuple[dict[str, Any], str]:
    """The route's answer and its text; several pages are joined into one answer of the same shape."""
    response = await api.get("/topics", status=status, search=search, limit=min(limit, PAGE))
    answer, text = answer_of(response), response.text
    while (cursor := answer.get("next_cursor")) and len(answer["topics"]) < limit:
        wanted = min(limit - len(answer["topics"]), PAGE)
        page = answer_of(await api.get("/topics", status=status, search=search, limit=wanted, cursor=cursor))
        answer = {**page, "topics": [*answer["topics"], *page["topics"]], "limit": limit}
        text = json.dumps(answer, ensure_ascii=False)
    return answer, text


def topics_table(answer: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Status", no_wrap=True)
    table.add_column("Title", overflow="fold")
    table.add_column("Updated", no_wrap=True)
    table.add_column("Id", no_wrap=True, min_width=36)
    for topic in answer["topics"]:
        status = one_line(topic.get("status", ""))
        table.add_row(
            Text(status, style=STYLES.get(status, "")),
            Text(one_line(topic.get("title", ""))),
            Text(local_time(topic.get("updated_at")), style="dim"),
            Text(one_line(topic.get("id", "")), style="dim"),
        )
    return table


def total_line(answer: dict[str, Any]) -> str:
    """`20 of 1,234`, or of `more than 10,000` where the API stopped counting."""
    total = answer.get("total_count", 0)
    more = "more than " if answer.get("total_count_capped") else ""
    return f"{len(answer['topics']):,} of {more}{total:,}"


def topic_path(id_or_title: str) -> str:
    """`/topics/{id}`; a title is as good, because the id of a topic is made from it."""
    if _AN_ID.fullmatch(id_or_title):
        return f"/topics/{id_or_title}"
    from shared.events import topic_id  # here, because pydantic takes longer to load than the rest of the command

    return f"/topics/{topic_id(id_or_title)}"


async def show_topic(api: ApiClient, id_or_title: str) -> tuple[dict[str, Any], str]:
    response = await api.get(topic_path(id_or_title))
    return answer_of(response), response.text


async def retry_topic(api: ApiClient, id_or_title: str, *, force: bool) -> tuple[dict[str, Any], str]:
    response = await api.post(topic_path(id_or_title) + "/retry", {"force": True} if force else {})
    return answer_of(response), response.text
