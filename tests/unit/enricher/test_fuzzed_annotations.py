"""10,000 broken answers about articles: nothing is raised, and no invalid annotation is created."""

import json
from copy import deepcopy
from typing import Any

from factories import ASSESSMENT, CLASSIFICATION, TEXT
from fuzzed import fuzzed
from hypothesis import given
from hypothesis import strategies as st

from enricher.annotate_article import validate_answer
from enricher.annotation import MOST_KEYWORDS, Assessment, Classification
from shared.errors import Refused
from shared.ids import normal
from shared.llm.answers.answer_validation import AnswerNotUsable
from shared.llm.gemini import Answer
from shared.text.storable import is_storable

ANY_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["n/a", "", " ", "\0", "\ud800", "x" * 20_000, "Sleep", "```", "]", "caffeine, coffee", "Other", "日誌"]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
AROUND = st.sampled_from(["", "Here it is:\n", "```json\n", "\n```", "\nAnything else? [y/n]", "{}", "[]", "\ufeff"])
Path = tuple[str | int, ...]


def answered(text: str, finish_reason: str = "STOP", blocked: str | None = None) -> Answer:
    return Answer(text, finish_reason, blocked, "m", 1, 1, 0, 0, 0.1, simulated=True)


def places(value: Any, path: Path = ()) -> list[Path]:
    """The paths of all values."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path] * bool(path) + [place for key, one in inner for place in places(one, (*path, key))]


def break_at(answer: Any, place: Path, value: Any) -> None:
    """Replaces the value at the place, or deletes it if `value` is the place itself."""
    *way, last = place
    for key in way:
        answer = answer[key]
    if value is place:
        del answer[last]
    else:
        answer[last] = value


@st.composite
def answers(draw: st.DrawFn, good: dict[str, Any]) -> tuple[str, bool]:
    """An answer's text, and whether nothing in it is broken."""
    answer, place = deepcopy(good), draw(st.none() | st.sampled_from(places(good)))
    if place:
        break_at(answer, place, draw(ANY_JSON | st.just(place)))
    answer |= draw(st.dictionaries(st.sampled_from(["id", "note", "\ud800"]), ANY_JSON, max_size=2))
    wrapped = [answer] if draw(st.booleans()) else answer
    return draw(AROUND) + json.dumps(wrapped, ensure_ascii=draw(st.booleans())) + draw(AROUND), not place


def check(verdict: object, model: type[Classification | Assessment]) -> None:
    """An annotation that is valid for events, catalogue and readers, or a reason."""
    if isinstance(verdict, AnswerNotUsable | Refused):
        assert str(verdict).encode()
        return
    assert isinstance(verdict, model)
    fields = verdict.model_dump()
    assert model.model_validate(fields, context=TEXT) == verdict
    assert is_storable(fields)
    assert "\\u0000" not in json.dumps(fields)
    if isinstance(verdict, Classification):
        forms = [normal(keyword) for keyword in verdict.keywords]
        assert 1 <= len(set(forms)) == len(forms) <= MOST_KEYWORDS
        assert all(form in TEXT for form in forms)


@fuzzed(4_000)
@given(answers(CLASSIFICATION))
def test_any_classification_is_used_or_refused_with_a_reason(generated: tuple[str, bool]) -> None:
    text, is_whole = generated
    verdict = validate_answer(answered(text), Classification, TEXT)
    assert isinstance(verdict, Classification) or not is_whole
    check(verdict, Classification)


@fuzzed(4_000)
@given(answers(ASSESSMENT))
def test_any_assessment_is_used_or_refused_with_a_reason(generated: tuple[str, bool]) -> None:
    text, is_whole = generated
    verdict = validate_answer(answered(text), Assessment, TEXT)
    assert isinstance(verdict, Assessment) or not is_whole
    check(verdict, Assessment)


@fuzzed(2_000)
@given(st.data())
def test_any_text_gets_a_verdict(data: st.DataObject) -> None:
    whole = json.dumps(data.draw(st.sampled_from([CLASSIFICATION, ASSESSMENT])))
    text = data.draw(ANY_TEXT | ANY_JSON.map(json.dumps) | st.integers(0, len(whole)).map(lambda end: whole[:end]))
    finish = data.draw(st.sampled_from(["STOP", "", "MAX_TOKENS", "OTHER"]))
    blocked = data.draw(st.sampled_from([None, None, "SAFETY"]))
    for model in (Classification, Assessment):
        verdict = validate_answer(answered(text, finish, blocked), model, TEXT)
        check(verdict, model)
        assert isinstance(verdict, Refused) == (blocked is not None)
