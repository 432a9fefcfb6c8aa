"""10,000 broken answers: nothing is raised, no valid item is lost, no invalid card is created."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bench.card import CARD
from fuzzed import fuzzed
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Refused
from shared.llm.answers.answer_validation import AnswerNotUsable
from shared.llm.answers.json_extraction import extract_json
from shared.llm.gemini import Answer
from shared.text.storable import is_storable
from topic_worker.topic import StudyCard
from topic_worker.validate_card import validate_answer

IDS = ["one", "two", "three"]
NOW = datetime(2026, 5, 1, tzinfo=UTC)
ANY_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["n/a", "", " ", "\0", "\ud800", "x" * 20_000, "Databases", "```", "]", "Google, Meta"]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
AROUND = st.sampled_from(
    ["", "Sure, here they are:\n", "```json\n", "\n```", "\nAnything else? [y/n]", "{}", "[]", "\ufeff"]
)


def answered(text: str, finish_reason: str = "STOP", blocked: str | None = None) -> Answer:
    return Answer(text, finish_reason, blocked, "m", 1, 1, 0, 0, 0.1, simulated=True)


def cards() -> list[dict[str, Any]]:
    return [{**CARD, "id": id_, "title": id_} for id_ in IDS]


@st.composite
def broken_items(draw: st.DrawFn) -> tuple[list[Any], set[str]]:
    """Items of which some are broken, and the ids of those that are not."""
    items: list[Any] = cards()
    whole = set(IDS)
    for at in draw(st.sets(st.integers(0, 2))):
        whole.discard(items[at]["id"])
        match draw(st.sampled_from(["field", "text", "texts", "gone", "other", "id"])):
            case "field":
                items[at][draw(st.sampled_from(sorted(CARD)))] = draw(ANY_JSON)
            case "text":
                items[at][draw(st.sampled_from(["title", "description", "company", "category"]))] = draw(ANY_TEXT)
            case "texts":
                items[at][draw(st.sampled_from(["tags", "technologies"]))] = draw(st.lists(ANY_TEXT, min_size=3))
            case "gone":
                del items[at][draw(st.sampled_from(sorted(CARD)))]
            case "other":
                items[at] = draw(ANY_JSON.filter(lambda value: not _has_known_id(value)))
            case "id":
                items[at]["id"] = draw(ANY_JSON.filter(lambda value: str(value) not in IDS))
    items += draw(st.lists(ANY_JSON.filter(lambda value: not _has_known_id(value)), max_size=2))
    return draw(st.permutations(items)), whole


def _has_known_id(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("id")) in IDS


@fuzzed(7_000)
@given(broken_items(), AROUND, AROUND, st.sampled_from([lambda items: items, lambda items: {"topics": items}]))
def test_broken_items_do_not_affect_the_others(
    generated: tuple[list[Any], set[str]], before: str, after: str, wrapped: Callable[[list[Any]], Any]
) -> None:
    items, whole = generated
    verdicts = validate_answer(answered(before + json.dumps(wrapped(items)) + after), IDS)
    assert list(verdicts) == IDS
    assert whole <= {id_ for id_, verdict in verdicts.items() if isinstance(verdict, StudyCard)}
    for verdict in verdicts.values():
        _is_fit(verdict)


@fuzzed(3_000)
@given(st.data())
def test_each_item_gets_a_verdict_for_any_text(data: st.DataObject) -> None:
    text = data.draw(ANY_TEXT | ANY_JSON.map(json.dumps) | st.just(json.dumps(cards())))
    text = (
        text[data.draw(st.integers(0, 40)) : data.draw(st.integers(0, len(text)))] if data.draw(st.booleans()) else text
    )
    ids = IDS[: data.draw(st.integers(1, 3))]
    finish = data.draw(st.sampled_from(["STOP", "", "MAX_TOKENS", "OTHER"]))
    blocked = data.draw(st.sampled_from([None, None, "SAFETY"]))
    verdicts = validate_answer(answered(text, finish, blocked), ids)
    assert list(verdicts) == ids
    for verdict in verdicts.values():
        _is_fit(verdict)
        assert isinstance(verdict, Refused) == (blocked is not None)


def _is_fit(verdict: StudyCard | Exception) -> None:
    """A card that is valid for events, databases and readers, or a reason."""
    if isinstance(verdict, StudyCard):
        card = verdict.card(created=NOW, generated=NOW, source="m")
        assert StudyCard.model_validate(card) == verdict
        assert is_storable(card)
        assert "\\u0000" not in json.dumps(card)
    else:
        assert isinstance(verdict, AnswerNotUsable | Refused)
        assert str(verdict).encode()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('Here you are:\n```json\n[{"id": "a"}, {"id": "b"}]\n```\nAs [1] says.', ["a", "b"]),
        ('{"topics": [{"id": "a"}]}', ["a"]),
        ('{"id": "a"}', ["a"]),
        ('[1, 2] are two numbers, and this is the answer: [{"id": "a"}]', ["a"]),
        ('[{"id": "a"}', ["a"]),
        ('{"id": "a"}\n{"id": "b"}\n', ["a", "b"]),
        ("[" * 100_000, []),
        ("no JSON at all", []),
    ],
)
def test_the_json_is_found_in_surrounding_text(text: str, ids: list[str]) -> None:
    assert [found["id"] for found in extract_json(text)] == ids
