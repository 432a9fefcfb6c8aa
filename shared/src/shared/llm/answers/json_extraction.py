"""Extracts the JSON from a model's answer, despite code fences, an introduction or an object around a list. Pure."""

from collections.abc import Iterator
from json import JSONDecoder
from typing import Any

from shared.text.storable import storable, storable_text

MAX_CANDIDATES = 20  # positions where JSON may begin; the text of a model that repeats itself has thousands
_DECODER = JSONDecoder()


def extract_json(text: str) -> list[dict[str, Any]]:
    """Returns all objects in order, those outside and inside lists, made storable."""
    objects = [item for value in _values_in(text) for item in _objects(value)]
    is_storable = "\\u" not in text and storable_text(text) is text
    return objects if is_storable else [storable(item) for item in objects]


def _values_in(text: str) -> Iterator[Any]:
    position = -1
    for _ in range(MAX_CANDIDATES):
        brackets = (text.find("[", position + 1), text.find("{", position + 1))
        position = min((n for n in brackets if n >= 0), default=-1)
        if position < 0:
            return
        try:
            value, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            continue
        yield value
        position = end - 1


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        inner = next(iter(value.values())) if len(value) == 1 else None
        return _objects(inner) if isinstance(inner, list) else [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
