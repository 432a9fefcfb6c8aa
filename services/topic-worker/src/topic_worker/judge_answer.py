"""What one answer of the model is worth to each of the titles that shared its call. Pure."""

from collections.abc import Sequence
from typing import Any

from shared.judge_answer import first_valid, without_text
from shared.llm import Answer
from shared.read_answer import objects_in
from topic_worker.topic import Topic


def judge(answer: Answer, ids: Sequence[str]) -> dict[str, Topic | Exception]:
    """By id: the topic, or why there is none: Refused, AnswerNotUsable. Each is judged alone."""
    if problem := without_text(answer):
        return dict.fromkeys(ids, problem)
    found = objects_in(answer.text)
    if len(ids) == 1 and len(found) == 1:
        return {ids[0]: first_valid(Topic, found)}
    by_id: dict[str, list[dict[str, Any]]] = {}
    for answered in found:
        by_id.setdefault(str(answered.get("id")), []).append(answered)
    return {id_: first_valid(Topic, by_id.get(id_, [])) for id_ in ids}
