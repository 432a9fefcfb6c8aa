"""What one answer of the model is worth to each of the titles that shared its call. Pure."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from shared.errors import Refused, Transient
from shared.llm import Answer
from topic_worker.topic import Topic


class AnswerNotUsable(Transient):
    """`wasted`: in one word, for the ledger."""

    def __init__(self, message: str, wasted: str) -> None:
        super().__init__("answer_not_usable", message)
        self.wasted = wasted


def wasted(verdict: Topic | Exception) -> str:
    """Why this was paid for in vain; "" where it was not."""
    match verdict:
        case AnswerNotUsable():
            return verdict.wasted
        case Exception():
            return "blocked"
    return ""


def judge(answer: Answer, ids: Sequence[str]) -> dict[str, Topic | Exception]:
    """By id: the topic, or why there is none: Refused, AnswerNotUsable. Each is judged alone."""
    if answer.blocked:
        return dict.fromkeys(ids, Refused("blocked", f"Gemini refuses to answer: {answer.blocked}"))
    if answer.finish_reason == "MAX_TOKENS":
        return dict.fromkeys(ids, AnswerNotUsable("the answer was cut off at the token limit", "cut_off"))
    found = _by_id(answer.text)
    if len(ids) == 1 and len(found) == 1:
        found = {ids[0]: next(iter(found.values()))}
    return {id_: _one(found.get(id_)) for id_ in ids}


def _one(answered: dict[str, Any] | None) -> Topic | Exception:
    if answered is None:
        return AnswerNotUsable("the answer has no readable JSON object with this item's id", "missing")
    try:
        return Topic.model_validate(answered)
    except ValidationError as error:
        return AnswerNotUsable(_in_words(error), "invalid")


def _by_id(text: str) -> dict[str, dict[str, Any]]:
    """Answers by the id they carry; of what can not be read, none."""
    try:
        answers = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if isinstance(answers, dict):
        answers = [answers]
    if not isinstance(answers, list):
        return {}
    return {str(answer.get("id")): answer for answer in answers if isinstance(answer, dict)}


def _in_words(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems[:5])
