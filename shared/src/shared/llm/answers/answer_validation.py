"""Validates answers of the model. Pure."""

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import Refused, Transient
from shared.llm.gemini import Answer

AnswerModel = TypeVar("AnswerModel", bound=BaseModel)


class AnswerNotUsable(Transient):
    """`wasted`: the reason in one word, for the ledger."""

    def __init__(self, message: str, wasted: str) -> None:
        super().__init__("answer_not_usable", message)
        self.wasted = wasted


def wasted(verdict: object) -> str:
    """Why the call was wasted; "" if it was not."""
    match verdict:
        case AnswerNotUsable():
            return verdict.wasted
        case Exception():
            return "blocked"
    return ""


def without_text(answer: Answer) -> Refused | AnswerNotUsable | None:
    """Why the whole answer is unusable, or None."""
    if answer.blocked:
        return Refused("blocked", f"Gemini blocked the request or its answer: {answer.blocked}")
    if answer.finish_reason == "MAX_TOKENS":
        return AnswerNotUsable("the answer was cut off at the token limit", "cut_off")
    return None


def first_valid(
    model: type[AnswerModel], objects: Iterable[dict[str, Any]], context: object = None
) -> AnswerModel | AnswerNotUsable:
    """The first object that validates: a model may answer an item twice. `context`: for the validators."""
    problem = AnswerNotUsable("the answer has no readable JSON object for this item", "missing")
    for one in objects:
        try:
            return model.model_validate(one, context=context)
        except ValidationError as error:
            problem = AnswerNotUsable(_in_words(error), "invalid")
    return problem


def _in_words(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems[:5])
