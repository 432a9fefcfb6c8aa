"""A row of the old system's table `topics` as the card it was: its columns, with those that hold JSON parsed. Pure."""

from collections.abc import Mapping
from math import isinf
from typing import Any

from pydantic_core import from_json

from shared.text.storable import is_storable

_OF_JSON = frozenset(
    {
        "technologies",
        "tags",
        "related_topics",
        "metrics",
        "implementation_details",
        "learning_objectives",
        "prerequisites",
    }
)
COLUMNS = (
    "title",
    "description",
    "category",
    "subcategory",
    "company",
    "technologies",
    "complexity_level",
    "tags",
    "related_topics",
    "metrics",
    "implementation_details",
    "learning_objectives",
    "difficulty",
    "estimated_read_time",
    "prerequisites",
    "created_date",
    "updated_date",
    "generated_at",
    "source",
)


def card(row: Mapping[str, Any]) -> dict[str, Any]:
    """Of the columns that are there. JSON that is none stays the text it is."""
    values = {name: _plain(row[name]) for name in COLUMNS if name in row}
    return {name: _parsed(value) if name in _OF_JSON else value for name, value in values.items()}


def _plain(value: object) -> object:
    """SQLite lets any column hold anything."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, float) and isinf(value) else value


def _parsed(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        parsed: object = from_json(value)
    except ValueError:
        return value
    return parsed if is_storable(parsed) else value
