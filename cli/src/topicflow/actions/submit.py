"""Submits titles to the API in requests of up to 500. Used by `submit` and `up --submit`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from topicflow.actions.titles import chunks
from topicflow.client.api import ApiClient, answer_of
from topicflow.errors import CommandError, ServiceUnavailable
from topicflow.views.sending import Sending

_COUNTS = ("total_topics", "saved_topics", "skipped_topics")
_SKIPPED_TITLES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SubmitResult:
    answer: dict[str, Any]  # in the shape of the route's response
    text: str  # the same as text: the raw response if one request was enough

    @property
    def line(self) -> str:
        saved, skipped = self.answer.get("saved_topics", 0), self.answer.get("skipped_topics", 0)
        line = f"{saved} {'topic' if saved == 1 else 'topics'} submitted"
        return line + (f", {skipped} skipped (already completed or in progress)" if skipped else "")


async def submit(
    api: ApiClient, titles: Sequence[str], sending: Sending, *, force: bool = False, batch_size: int | None = None
) -> SubmitResult:
    """Stops at the first request that fails; the error then says how many titles were submitted before."""
    options: dict[str, Any] = {"force": True} if force else {}
    if batch_size is not None:
        options["batch_size"] = batch_size
    responses: list[httpx.Response] = []
    for chunk in chunks(titles):
        body = {"topics": list(chunk), **options}
        try:
            responses.append(await api.post_patiently("/topics", body, sending.pause))
        except CommandError as error:
            raise _after(sending.sent, len(chunk), error) from error
        sending.advance_to(sending.sent + len(chunk))
    answers = [answer_of(response) for response in responses]
    if len(answers) == 1:
        return SubmitResult(answers[0], responses[0].text)
    answer = merged(answers)
    return SubmitResult(answer, json.dumps(answer, ensure_ascii=False))


def merged(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One response of the same shape: counts added up, one entry per topic with its latest status."""
    topics = {topic["id"]: topic for answer in answers for topic in answer.get("topics", ())}
    skipped = [title for answer in answers for title in answer.get("skipped_titles", ())]
    answer = {
        **answers[-1],
        **{name: sum(answer.get(name, 0) for answer in answers) for name in _COUNTS},
        "skipped_titles": skipped[:_SKIPPED_TITLES_SHOWN],
        "topics": list(topics.values()),
    }
    return {**answer, "message": SubmitResult(answer, "").line}


def _after(sent: int, count: int, error: CommandError) -> CommandError:
    if not sent:
        return error
    message = f"titles {sent + 1} to {sent + count}: {error}; the first {sent} were submitted"
    return (
        ServiceUnavailable(message, error.retry_after)
        if isinstance(error, ServiceUnavailable)
        else type(error)(message)
    )
