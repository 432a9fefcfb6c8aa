"""Submits any number of titles or URNs, in requests of the size that the API takes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import httpx

from topicflow.client.api import ApiClient
from topicflow.errors import CommandError, ServiceUnavailable, WrongUse

_SKIPPED_TITLES_SHOWN = 5


class Collection(NamedTuple):
    path: str
    field: str  # of the request
    items: str  # plural noun
    per_request: int


TOPICS = Collection("/topics", "topics", "titles", 500)
ARTICLES = Collection("/articles", "urns", "articles", 200)


async def submit(
    api: ApiClient,
    to: Collection,
    names: Sequence[str],
    options: Mapping[str, Any],
    on_wait: Callable[[ServiceUnavailable], None] = lambda _: None,
    on_sent: Callable[[int], None] = lambda _: None,
) -> list[httpx.Response]:
    """Stops at the first request that fails; the error then says how many names were submitted before.

    `options`: of the request; those that are None or False are left out. `on_sent` is called with the number of names
    sent so far, `on_wait` with the reason why the API takes no more now.
    """
    if isinstance(names, str):
        raise WrongUse(f"a list of {to.items} is expected, not one text")
    set_options = {name: value for name, value in options.items() if value}
    responses: list[httpx.Response] = []
    for start in range(0, max(1, len(names)), to.per_request):
        portion = list(names[start : start + to.per_request])
        try:
            responses.append(await api.post_patiently(to.path, {to.field: portion, **set_options}, on_wait))
        except CommandError as error:
            raise _after(start, len(portion), to.items, error) from error
        on_sent(start + len(portion))
    return responses


def merged(answers: Sequence[Mapping[str, Any]], collection: str) -> dict[str, Any]:
    """One answer of the same shape: numbers added up, each submission once with its latest status."""
    last = answers[-1]
    numbers = [name for name, value in last.items() if isinstance(value, int)]
    submissions = {row["id"]: row for answer in answers for row in answer.get(collection, ())}
    skipped = [title for answer in answers for title in answer.get("skipped_titles", ())]
    return {
        **last,
        **{name: sum(answer.get(name, 0) for answer in answers) for name in numbers},
        **({"skipped_titles": skipped[:_SKIPPED_TITLES_SHOWN]} if "skipped_titles" in last else {}),
        collection: list(submissions.values()),
    }


def _after(sent: int, count: int, items: str, error: CommandError) -> CommandError:
    if not sent:
        return error
    message = f"{items} {sent + 1} to {sent + count}: {error}; the first {sent} were submitted"
    if isinstance(error, ServiceUnavailable):
        return ServiceUnavailable(message, error.retry_after)
    return type(error)(message)
