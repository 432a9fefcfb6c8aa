"""What one answer of the model is worth to each of the titles that shared its call. Pure."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from shared.errors import Refused, Transient
from shared.llm import Answer
from topic_worker.read_answer import objects_in
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
    found = objects_in(answer.text)
    if len(ids) == 1 and len(found) == 1:
        return {ids[0]: _one(found)}
    by_id: dict[str, list[dict[str, Any]]] = {}
    for answered in found:
        by_id.setdefault(str(answered.get("id")), []).append(answered)
    return {id_: _one(by_id.get(id_, [])) for id_ in ids}


def _one(answered: Sequence[dict[str, Any]]) -> Topic | AnswerNotUsable:
    """The first that is good, for a model may answer an item twice."""
    problem = AnswerNotUsable("the answer has no readable JSON object with this item's id", "missing")
    for answer in answered:
        try:
            return Topic.model_validate(answer)
        except ValidationError as error:
            problem = AnswerNotUsable(_in_words(error), "invalid")
    return problem


def _in_words(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems[:5])
