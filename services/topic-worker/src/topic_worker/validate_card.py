"""Validates one answer of the model for each of the titles that shared its call. Pure."""

from collections.abc import Sequence
from typing import Any

from shared.llm.answers.answer_validation import first_valid, without_text
from shared.llm.answers.json_extraction import extract_json
from shared.llm.gemini import Answer
from topic_worker.topic import StudyCard


def validate_answer(answer: Answer, ids: Sequence[str]) -> dict[str, StudyCard | Exception]:
    """By id: the study card, or Refused or AnswerNotUsable. Each title is validated on its own."""
    if problem := without_text(answer):
        return dict.fromkeys(ids, problem)
    items = extract_json(answer.text)
    if len(ids) == 1 and len(items) == 1:
        return {ids[0]: first_valid(StudyCard, items)}
    by_id: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        by_id.setdefault(str(item.get("id")), []).append(item)
    return {id_: first_valid(StudyCard, by_id.get(id_, [])) for id_ in ids}
