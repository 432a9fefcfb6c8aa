"""The JSON in what a model said, whatever is around it: code fences, an introduction, an object with the list in it.
Pure.
"""

from collections.abc import Iterator
from json import JSONDecoder
from typing import Any

from shared.text.storable import storable, storable_text

MOST_TRIES = 20  # places at which JSON may begin; more are not looked at, for a model that repeats itself has thousands
_DECODER = JSONDecoder()


def extract_json(text: str) -> list[dict[str, Any]]:
    """In their order, those that stand alone and those in lists; storable."""
    found = [one for value in _values_in(text) for one in _objects(value)]
    is_clean = "\\u" not in text and storable_text(text) is text
    return found if is_clean else [storable(one) for one in found]


def _values_in(text: str) -> Iterator[Any]:
    at = -1
    for _ in range(MOST_TRIES):
        at = min((n for n in (text.find("[", at + 1), text.find("{", at + 1)) if n >= 0), default=-1)
        if at < 0:
            return
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        yield value
        at = end - 1


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        inner = next(iter(value.values())) if len(value) == 1 else None
        return _objects(inner) if isinstance(inner, list) else [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
