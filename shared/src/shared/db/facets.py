"""Facets: the values of a card that topics can be filtered by. Pure."""

from collections.abc import Mapping
from typing import Any

Facet = tuple[str, str]  # name and value
LONGEST_VALUE = 200  # characters; longer values are not indexed
MOST_VALUES = 50  # per facet of one card
_FACET_OF_FIELD = {
    "category": "category",
    "subcategory": "subcategory",
    "company": "company",
    "complexity_level": "complexity",
    "tags": "tag",
    "technologies": "technology",
}
FACETS = tuple(_FACET_OF_FIELD.values())


def facets_of(content: Mapping[str, Any] | None) -> set[Facet]:
    """The facets of any content, imported content included. Values that are not text are ignored."""
    facets: set[Facet] = set()
    if content is None:
        return facets
    for field, facet in _FACET_OF_FIELD.items():
        value = content.get(field)
        for text in value[:MOST_VALUES] if isinstance(value, list) else (value,):
            if isinstance(text, str) and len(text) <= LONGEST_VALUE and text.strip():
                facets.add((facet, text))
    return facets
