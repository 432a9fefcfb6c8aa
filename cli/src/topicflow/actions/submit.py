"""Submits titles and shows what was submitted. Used by `submit` and `up --submit`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from topicflow.client.api import ApiClient, answer_of
from topicflow.client.models import SubmittedTopic
from topicflow.client.reading import model_of
from topicflow.client.submitting import TOPICS, merged
from topicflow.client.submitting import submit as submit_to
from topicflow.errors import Unreachable
from topicflow.views.sending import Sending


@dataclass(frozen=True, slots=True)
class SubmitResult:
    answer: dict[str, Any]  # in the shape of the route's response
    text: str  # the same as text: the raw response if one request was enough

    @property
    def topics(self) -> list[SubmittedTopic]:
        return [model_of(SubmittedTopic, topic) for topic in self.answer.get("topics", ())]

    @property
    def line(self) -> str:
        saved, skipped = self.answer.get("saved_topics", 0), self.answer.get("skipped_topics", 0)
        line = f"{saved} {'topic' if saved == 1 else 'topics'} submitted"
        return line + (f", {skipped} skipped (already completed or in progress)" if skipped else "")


async def submit(
    api: ApiClient, titles: Sequence[str], sending: Sending, *, force: bool = False, batch_size: int | None = None
) -> SubmitResult:
    """Stops at the first request that fails; the error then says how many titles were submitted before."""
    options = {"force": force, "batch_size": batch_size}
    responses = await submit_to(api, TOPICS, titles, options, sending.pause, sending.advance_to)
    answers = [answer_of(response) for response in responses]
    if not all(isinstance(answer.get("topics"), list) for answer in answers):
        raise Unreachable(f"{api.url} was not answered by topicflow: there are no topics in it")
    if len(answers) == 1:
        return SubmitResult(answers[0], responses[0].text)
    answer = merged(answers, "topics")
    answer["message"] = SubmitResult(answer, "").line
    return SubmitResult(answer, json.dumps(answer, ensure_ascii=False))
