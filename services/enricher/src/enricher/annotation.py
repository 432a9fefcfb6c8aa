"""The model's answer schema for one article, in two answers: classification, then assessment.

Excess is cut here, not forbidden by the schema: Gemini rejects schemas whose lists have many upper bounds, with a bare
400 (googleapis/python-genai#2170, vercel/ai#21192).
"""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo

from shared.ids import normal
from shared.llm.answers.answer_schema import WORDS, Part, Text, shorten

MOST_KEYWORDS = 10
LONGEST_KEYWORD = 100  # characters, as below
LONGEST_NAME = 200
LONGEST_TEXT = 2000
LONGEST_ABSTRACT = 5000
NOT_STATED = "Not stated"
_NOT_STATED_WORDS = {"", "-", "n/a", "na", "none", "null", "unknown", "unspecified", "not specified", "not applicable"}
StudyType = Literal[
    "Randomized Controlled Trial",
    "Non-randomized Intervention",
    "Observational (Cohort)",
    "Observational (Case-control)",
    "Observational (Cross-sectional)",
    "Systematic Review",
    "Meta-analysis",
    "Narrative Review",
    "Qualitative Study",
    "Animal Study",
    "In Vitro / Cell Study",
    "Mechanistic / Metabolic Study (Humans)",
    "Methods / Protocol",
    "Other",
    "Not stated",
]


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", normal(text))


_BY_LETTERS = {_letters(label): label for label in get_args(StudyType)}


def _replace_unstated(value: object) -> object:
    """Models use many words for what an article does not state, and a list for several groups."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = ", ".join(value)
    is_unstated = value is None or (isinstance(value, str) and normal(value).rstrip(".") in _NOT_STATED_WORDS)
    return NOT_STATED if is_unstated else value


def _match_label(value: object) -> object:
    """Compares letters only: `observational, cross sectional` is Observational (Cross-sectional)."""
    return _BY_LETTERS.get(_letters(value), value) if isinstance(value, str) else value


def _keep_occurring(value: object, info: ValidationInfo) -> object:
    """Keeps the first ten keywords that occur in the context, the article's normalised text; ignores case."""
    if not isinstance(value, list):
        return value
    text, kept = str(info.context), dict[str, str]()
    for keyword in value:
        if isinstance(keyword, str) and len(keyword) <= LONGEST_KEYWORD and (key := normal(keyword)) and key in text:
            kept.setdefault(key, " ".join(keyword.split()))
    if not kept:
        raise ValueError("none of the keywords occurs in the article's text")
    return list(kept.values())[:MOST_KEYWORDS]


def _first(limit: int) -> BeforeValidator:
    return BeforeValidator(lambda value: value[:limit] if isinstance(value, list) else value)


def _wrap_in_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Name = Annotated[Text, shorten(LONGEST_NAME, WORDS)]
LongText = Annotated[Text, shorten(LONGEST_TEXT)]
Group = Annotated[Name, BeforeValidator(_replace_unstated)]
Score = Annotated[int, Field(ge=0, le=5)]


class Classification(Part):  # the docstring is part of the schema sent to Gemini
    """What the article is about, for whom it is and of what kind."""

    keywords: Annotated[list[Text], Field(min_length=1), BeforeValidator(_keep_occurring)]
    reader_group: Group
    age_group: Group
    population_group: Group
    study_type: Annotated[StudyType, BeforeValidator(_match_label), BeforeValidator(_replace_unstated)]


class Evaluation(Part):
    user_value_score: Score
    actionability_score: Score
    verdict: Annotated[list[LongText], Field(min_length=1), _first(3), BeforeValidator(_wrap_in_list)]
    safety_sensitivity: LongText
    recommended_user_framing: LongText


class Term(Part):
    term: Name
    definition: LongText
    rationale: LongText


class Answered(Part):
    question: LongText
    answer: LongText
    grounding: LongText


ThreeAnswers = Annotated[list[Answered], Field(min_length=3), _first(3)]


class Annotations(Part):
    abstract: Annotated[Text, shorten(LONGEST_ABSTRACT)]
    glossary: Annotated[list[Term], Field(min_length=3), _first(7)]
    user_qa: ThreeAnswers
    expert_qa: ThreeAnswers
    practitioner_qa: ThreeAnswers


class Assessment(Part):
    evaluation: Evaluation
    annotations: Annotations


def annotation_of(classification: Classification, assessment: Assessment) -> dict[str, Any]:
    """Both answers as one annotation."""
    return classification.model_dump() | assessment.model_dump()
