"""Validation of annotations, and the repair of answers that are nearly right."""

import json
from copy import deepcopy
from typing import Any

import pytest
from factories import ASSESSMENT, CLASSIFICATION, QA, TEXT
from pydantic import ValidationError

from enricher.annotation import (
    LONGEST_ABSTRACT,
    LONGEST_NAME,
    LONGEST_TEXT,
    NOT_STATED,
    Assessment,
    Classification,
    annotation_of,
)

OTHER_FORMS = ["nai\N{COMBINING DIAERESIS}ve bayes", "日誌", "\N{GREEK CAPITAL LETTER BETA}-Glucan"]


def classified(**changes: Any) -> Classification:
    return Classification.model_validate(CLASSIFICATION | changes, context=TEXT)


def assessed(part: str, **changes: Any) -> Assessment:
    answer = deepcopy(ASSESSMENT)
    answer[part] |= changes
    return Assessment.model_validate(answer)


def test_the_annotation_has_exactly_the_promised_fields() -> None:
    annotation = annotation_of(classified(), Assessment.model_validate(ASSESSMENT))
    assert annotation == CLASSIFICATION | ASSESSMENT
    assert json.loads(json.dumps(annotation)) == annotation


# -- keywords ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (["COFFEE", "Tea"], ["COFFEE"]),
        (["coffee", "Coffee", "\N{FULLWIDTH LATIN SMALL LETTER C}offee"], ["coffee"]),
        (["  caffeine \n after  noon "], ["caffeine after noon"]),
        (OTHER_FORMS, OTHER_FORMS),
        (["sleep", None, 7, ["coffee"], "", " ", "n/a"], ["sleep"]),
        (TEXT.split(), TEXT.split()[:10]),
        ([TEXT[:101], TEXT[:100]], [TEXT[:100]]),
    ],
    ids=["case", "twice", "spaces", "Unicode", "no text", "too many", "too long"],
)
def test_keywords_are_those_that_occur_in_the_text(answer: list[Any], kept: list[str]) -> None:
    assert classified(keywords=answer).keywords == kept


@pytest.mark.parametrize("answer", [[], ["Tea"], ["n/a"], "coffee", None, {"coffee": 1}])
def test_an_answer_without_a_keyword_from_the_text_is_not_usable(answer: Any) -> None:
    with pytest.raises(ValidationError, match="keywords"):
        classified(keywords=answer)


# -- groups and study type -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["n/a", "N/A.", "", "  ", None, "Unknown", "not specified", "Not stated", []])
@pytest.mark.parametrize("field", ["reader_group", "age_group", "population_group", "study_type"])
def test_missing_values_become_not_stated(field: str, answer: Any) -> None:
    assert getattr(classified(**{field: answer}), field) == NOT_STATED


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        ("randomized controlled TRIAL", "Randomized Controlled Trial"),
        ("Observational - cross sectional", "Observational (Cross-sectional)"),
        ("In vitro/cell study", "In Vitro / Cell Study"),
        ("meta analysis", "Meta-analysis"),
    ],
)
def test_a_study_type_is_recognised_by_its_letters(answer: str, meant: str) -> None:
    assert classified(study_type=answer).study_type == meant


@pytest.mark.parametrize("answer", ["Observational", "Case report", 3, {}])
def test_a_study_type_that_is_not_listed_is_not_usable(answer: Any) -> None:
    with pytest.raises(ValidationError, match="study_type"):
        classified(study_type=answer)


def test_several_groups_are_one_text() -> None:
    assert classified(reader_group=["Dietitians", "Nurses"]).reader_group == "Dietitians, Nurses"


# -- evaluation and annotations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [-1, 6, 99, 2.5, "high", None])
@pytest.mark.parametrize("field", ["user_value_score", "actionability_score"])
def test_scores_go_from_0_to_5(field: str, score: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        assessed("evaluation", **{field: score})
    assert getattr(assessed("evaluation", **{field: "0"}).evaluation, field) == 0
    assert getattr(assessed("evaluation", **{field: 5.0}).evaluation, field) == 5


def test_a_verdict_has_one_to_three_sentences() -> None:
    assert assessed("evaluation", verdict=["a", "b", "c", "d"]).evaluation.verdict == ["a", "b", "c"]
    assert assessed("evaluation", verdict="Alone.").evaluation.verdict == ["Alone."]
    for answer in ([], [""], None):
        with pytest.raises(ValidationError, match="verdict"):
            assessed("evaluation", verdict=answer)


@pytest.mark.parametrize("field", ["user_qa", "expert_qa", "practitioner_qa"])
def test_each_group_has_three_questions_with_answers(field: str) -> None:
    assert len(getattr(assessed("annotations", **{field: QA * 2}).annotations, field)) == 3
    for answer in (QA[:2], [*QA[:2], {"question": "?", "answer": "!"}], [*QA[:2], QA[2] | {"answer": " "}]):
        with pytest.raises(ValidationError, match=field):
            assessed("annotations", **{field: answer})


def test_a_glossary_has_three_to_seven_terms() -> None:
    term = {"term": "t", "definition": "d", "rationale": "r"}
    assert len(assessed("annotations", glossary=[term] * 8).annotations.glossary) == 7
    with pytest.raises(ValidationError, match="glossary"):
        assessed("annotations", glossary=[term] * 2)


def test_long_texts_are_cut_at_a_boundary() -> None:
    abstract = assessed("annotations", abstract="One sentence. " * 1000).annotations.abstract
    assert LONGEST_ABSTRACT - 20 < len(abstract) <= LONGEST_ABSTRACT
    assert abstract.endswith("One sentence.")
    framing = assessed("evaluation", recommended_user_framing="日誌。" * 2000).evaluation.recommended_user_framing
    assert LONGEST_TEXT - 3 <= len(framing) <= LONGEST_TEXT
    assert framing.endswith("。")
    assert len(classified(reader_group="x" * 1000).reader_group) == LONGEST_NAME


def test_the_schema_has_required_fields_and_no_maximum_length_of_lists() -> None:
    for model in (Classification, Assessment):
        schema = model.model_json_schema()
        assert set(schema["required"]) == set(model.model_fields)
        assert "maxItems" not in json.dumps(schema)
    assert len(Classification.model_json_schema()["properties"]["study_type"]["enum"]) == 15
