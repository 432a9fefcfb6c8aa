"""Addresses a topic by id or title. Used by the commands of `topicflow topics`."""

from collections.abc import Awaitable, Callable

import httpx

from local_processes.plain_text import one_line
from topicflow.client.api import ApiClient
from topicflow.client.topics import topic_path
from topicflow.errors import NotFound
from topicflow.options import ApiAnswer, answer_from


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
