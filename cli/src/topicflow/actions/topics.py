"""Addresses a topic by id or title. Used by the commands of `topicflow topics`."""

import re
from collections.abc import Awaitable, Callable

import httpx

from local_processes.plain_text import one_line
from shared.ids import topic_id
from topicflow.client.api import ApiClient
from topicflow.errors import NotFound
from topicflow.options import ApiAnswer, answer_from

_ID = re.compile(r"[0-9]+|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def topic_path(id_or_title: str) -> str:
    """`/topics/{id}`. A title works as well, because a topic's id is derived from it."""
    if _ID.fullmatch(id_or_title):
        return f"/topics/{id_or_title}"
    return f"/topics/{topic_id(id_or_title)}"


def answer_about(
    id_or_title: str, url: str | None, call: Callable[[ApiClient, str], Awaitable[httpx.Response]]
) -> ApiAnswer:
    """The response to a call about one topic, given its path. A missing topic is named as it was typed."""
    try:
        return answer_from(url, lambda api: call(api, topic_path(id_or_title)))
    except NotFound as error:
        raise NotFound(no_topic(id_or_title)) from error


def no_topic(id_or_title: str) -> str:
    return f"there is no topic {one_line(id_or_title)!r}"
