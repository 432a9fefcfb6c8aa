"""What a card can be found by: its category, company, tags and so on. Pure; `apply_events.py` keeps rows of them."""

from collections.abc import Mapping
from typing import Any

Facet = tuple[str, str]  # name and value
LONGEST_VALUE = 200  # characters; nobody filters by more
MOST_VALUES = 50  # of one facet of one card
_FIELDS = {
    "category": "category",
    "subcategory": "subcategory",
    "company": "company",
    "complexity_level": "complexity",
    "tags": "tag",
    "technologies": "technology",
}


def facets_of(content: Mapping[str, Any] | None) -> set[Facet]:
    """Of any content, an imported one too: what is not a text is passed over."""
    found: set[Facet] = set()
    if content is None:
        return found
    for field, facet in _FIELDS.items():
        value = content.get(field)
        for text in value[:MOST_VALUES] if isinstance(value, list) else (value,):
            if isinstance(text, str) and len(text) <= LONGEST_VALUE and text.strip():
                found.add((facet, text))
    return found
