"""What the model must return for one article, in two answers: what it is about and for whom; what it says to them.

What is too much is cut here and not forbidden by the schema: Gemini refuses schemas whose lists have many upper bounds,
with a bare 400 (googleapis/python-genai#2170, vercel/ai#21192).
"""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo

from shared.ids import normal
from shared.llm.answers.answer_schema import WORDS, Part, Text, shorten

MOST_KEYWORDS = 10
LONGEST_KEYWORD = 100  # characters, as are
LONGEST_NAME = 200
LONGEST_TEXT = 2000
LONGEST_ABSTRACT = 5000
NOT_STATED = "Not stated"
_SAYS_NOTHING = {"", "-", "n/a", "na", "none", "null", "unknown", "unspecified", "not specified", "not applicable"}
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


def _stated(value: object) -> object:
    """Models have many words for what an article does not say, and a list for several groups."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = ", ".join(value)
    says_nothing = value is None or (isinstance(value, str) and normal(value).rstrip(".") in _SAYS_NOTHING)
    return NOT_STATED if says_nothing else value


def _as_listed(value: object) -> object:
    """`observational, cross sectional` is meant as Observational (Cross-sectional)."""
    return _BY_LETTERS.get(_letters(value), value) if isinstance(value, str) else value


def _that_occur(value: object, info: ValidationInfo) -> object:
    """The first ten that stand in the context, the normal form of the article's text; each once whatever its case."""
    if not isinstance(value, list):
        return value
    text, found = str(info.context), dict[str, str]()
    for keyword in value:
        if isinstance(keyword, str) and len(keyword) <= LONGEST_KEYWORD and (key := normal(keyword)) and key in text:
            found.setdefault(key, " ".join(keyword.split()))
    if not found:
        raise ValueError("none of the keywords occurs in the article's text")
    return list(found.values())[:MOST_KEYWORDS]


def _first(most: int) -> BeforeValidator:
    return BeforeValidator(lambda value: value[:most] if isinstance(value, list) else value)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Name = Annotated[Text, shorten(LONGEST_NAME, WORDS)]
LongText = Annotated[Text, shorten(LONGEST_TEXT)]
Group = Annotated[Name, BeforeValidator(_stated)]
Score = Annotated[int, Field(ge=0, le=5)]


class Classification(Part):
    """What the article is about, for whom it is and of what kind."""

    keywords: Annotated[list[Text], Field(min_length=1), BeforeValidator(_that_occur)]
    reader_group: Group
    age_group: Group
    population_group: Group
    study_type: Annotated[StudyType, BeforeValidator(_as_listed), BeforeValidator(_stated)]


class Evaluation(Part):
    user_value_score: Score
    actionability_score: Score
    verdict: Annotated[list[LongText], Field(min_length=1), _first(3), BeforeValidator(_listed)]
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


Three = Annotated[list[Answered], Field(min_length=3), _first(3)]


class Annotations(Part):
    abstract: Annotated[Text, shorten(LONGEST_ABSTRACT)]
    glossary: Annotated[list[Term], Field(min_length=3), _first(7)]
    user_qa: Three
    expert_qa: Three
    practitioner_qa: Three


class Assessment(Part):
    evaluation: Evaluation
    annotations: Annotations


def annotation_of(classification: Classification, assessment: Assessment) -> dict[str, Any]:
    """The agent's answer as one."""
    return classification.model_dump() | assessment.model_dump()
