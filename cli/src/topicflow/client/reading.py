"""Reads answers as models, submissions one by one, a few at a time, and lists page by page."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from topicflow.client.api import ApiClient, answer_of
from topicflow.client.following.patience import Patience
from topicflow.client.models import Model
from topicflow.errors import NotFound, TooManyRequests, Unreachable

READ_AT_ONCE = 10  # submissions
SHORTEST_PAUSE = 0.1  # seconds, before a failed read is repeated
PAGE_SIZE = 100
M = TypeVar("M", bound=Model)


def model_of(model: type[M], answer: httpx.Response | dict[str, Any]) -> M:
    """Raises Unreachable if it is not an answer of topicflow."""
    content = answer_of(answer) if isinstance(answer, httpx.Response) else answer
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise Unreachable(
            f"not answered by topicflow: {error.error_count()} invalid fields of {model.__name__}"
        ) from error


async def read_each(
    api: ApiClient, paths: Sequence[str], patience: Patience | None = None
) -> list[dict[str, Any] | None]:
    """The answer to each path, in their order; None for what does not exist. Waits while the key's rate limit is
    reached, with patience also while the API does not answer. Raises Unreachable."""
    answers = []
    for start in range(0, len(paths), READ_AT_ONCE):
        answers += await asyncio.gather(*(_read(api, path, patience) for path in paths[start : start + READ_AT_ONCE]))
    return answers


async def read_pages(
    api: ApiClient, collection: str, filters: Mapping[str, Any], limit: int | None
) -> AsyncGenerator[dict[str, Any], None]:
    """The rows of a list, at most `limit`; `collection`: topics or articles. A time in a filter is aware."""
    query = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in filters.items()}
    cursor, left = None, limit
    while left is None or left > 0:
        size = PAGE_SIZE if left is None else min(PAGE_SIZE, left)
        page = answer_of(await api.get(f"/{collection}", **query, limit=size, cursor=cursor))
        if not isinstance(page.get(collection), list):
            raise Unreachable(f"{api.url} was not answered by topicflow: there are no {collection} in it")
        for row in page[collection]:
            yield row
        cursor, left = page.get("next_cursor"), None if left is None else left - len(page[collection])
        if not cursor:
            return


async def _read(api: ApiClient, path: str, patience: Patience | None) -> dict[str, Any] | None:
    while True:
        try:
            return answer_of(await api.get(path))
        except NotFound:
            return None
        except Unreachable as error:
            if patience:
                pause = patience.pause_after(error, SHORTEST_PAUSE)
            elif isinstance(error, TooManyRequests):
                pause = max(SHORTEST_PAUSE, error.retry_after or 0)
            else:
                raise
        await asyncio.sleep(pause)
