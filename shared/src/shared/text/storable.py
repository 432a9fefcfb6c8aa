"""Text that events and databases can store: without U+0000 and unpaired surrogates. Pure."""

import re
from typing import Any

from pydantic_core import from_json, to_json

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable_text(text: str) -> str:
    """Replaces unstorable characters by U+FFFD."""
    return text if text.isascii() and "\0" not in text else _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def storable(value: Any) -> Any:
    """The same for a JSON value, including names of fields."""
    if isinstance(value, dict):
        return {storable(name): storable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value]
    return storable_text(value) if isinstance(value, str) else value


def is_storable(data: object) -> bool:
    """Whether an event can carry it: JSON without unpaired surrogates, infinities or too deep nesting."""
    try:
        from_json(to_json([[data]]), allow_inf_nan=False)  # nested as deep as content in its event
    except ValueError:
        return False
    return True
