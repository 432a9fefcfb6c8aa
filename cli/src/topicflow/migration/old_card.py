"""Restores a card from a row of the old system's table `topics`; columns that hold JSON are parsed. Pure."""

from collections.abc import Mapping
from math import isinf
from typing import Any

from pydantic_core import from_json

from shared.text.storable import is_storable

_JSON_COLUMNS = frozenset(
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
    """The card, from the existing columns. Text that is not valid JSON stays text."""
    values = {name: _plain(row[name]) for name in COLUMNS if name in row}
    return {name: _parsed(value) if name in _JSON_COLUMNS else value for name, value in values.items()}


def _plain(value: object) -> object:
    """SQLite allows any type in any column."""
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
