"""Searches the catalogue with the syntax of its query string filters. Pure."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from simulators.catalog.shapes import LARGEST_WINDOW, CatalogProblem, Search

Article = Mapping[str, Any]
Value = Callable[[str, str], Any]  # by URN and field
Condition = Callable[[str], bool]
STORED_ONLY = ("extras",)  # not indexed, so no filter matches it
SEARCHED = ("title", "abstract", "description", "content", "venue", "keywords", "tags", "ai_tags", "ai_key_takeaways")
BOUND = r'"[^"]*"|[^\s"\]}]+'
FILTER = re.compile(
    rf'(?P<no>NOT |-)?(?P<field>[\w.]+):(?:(?P<value>"[^"]*"|[^\s"\[{{]+)'
    rf"|(?P<open>[\[{{])(?P<low>{BOUND}) TO (?P<high>{BOUND})(?P<close>[\]}}]))"
)


def search(query: Search, urns: Iterable[str], read: Callable[[str], Article], value: Value) -> dict[str, Any]:
    """`urns`: in list order. Articles are read only if needed. Raises CatalogProblem."""
    if query.offset + query.limit > LARGEST_WINDOW:
        raise CatalogProblem(400, f"Result window is too large, offset + limit must be at most {LARGEST_WINDOW}")
    conditions = [_filter(text, value) for text in query.fq or ()]
    if query.q and query.q.split():
        conditions.append(_mentions(query.q, value))
    ordered = list(urns)
    for field, order in reversed(_sorting(query.sort or "")):
        ordered = _sorted(ordered, field, order == "desc", value)
    matching = (urn for urn in ordered if all(matches(urn) for matches in conditions))
    hits = list(matching if query.fields else islice(matching, LARGEST_WINDOW))
    window = hits[query.offset : query.offset + query.limit]
    return {
        "results": [_with_fields(read(urn), query.fl) | {"_score": 1.0} for urn in window],
        "facets": {field: _facet(hits, field, value) for field in query.fields or ()},
        "total": min(len(hits), LARGEST_WINDOW),  # Elasticsearch counts no further
    }


def _sorted(urns: list[str], field: str, descending: bool, value: Value) -> list[str]:
    """Articles without the field come last."""
    if field == "urn":
        return sorted(urns, reverse=descending)
    values = {urn: _values(urn, field, value) for urn in urns}
    having = sorted((urn for urn in urns if values[urn]), key=lambda urn: values[urn][0], reverse=descending)
    return having + [urn for urn in urns if not values[urn]]


def _values(urn: str, field: str, value: Value) -> list[str]:
    if field == "urn":
        return [urn]
    content = None if field in STORED_ONLY else value(urn, field.removesuffix(".keyword"))
    return [str(item) for item in (content if isinstance(content, list) else [content]) if item is not None]


def _mentions(q: str, value: Value) -> Condition:
    """Matches any word of the query."""
    words = q.casefold().split()

    def mentions(urn: str) -> bool:
        text = " ".join(item for field in SEARCHED for item in _values(urn, field, value)).casefold()
        return any(word in text for word in words)

    return mentions


def _filter(text: str, value: Value) -> Condition:
    """`field:value`, `field:"two words"`, `field:*`, `field:[from TO to]`; `{` and `}` exclude a bound, `*` is no
    bound; `NOT ` or `-` before it negates."""
    parsed = FILTER.fullmatch(text.strip())
    if not parsed:
        raise CatalogProblem(400, f"Failed to parse query [{text}]")
    field, matches = parsed["field"], _between(parsed) if parsed["value"] is None else _equal(parsed["value"])
    if parsed["no"]:
        return lambda urn: not any(map(matches, _values(urn, field, value)))
    return lambda urn: any(map(matches, _values(urn, field, value)))


def _equal(value_text: str) -> Callable[[str], bool]:
    return (lambda _: True) if value_text == "*" else value_text.strip('"').__eq__


def _between(parsed: re.Match[str]) -> Callable[[str], bool]:
    low, high = parsed["low"].strip('"'), parsed["high"].strip('"')
    is_above = (lambda _: True) if low == "*" else low.__lt__ if parsed["open"] == "{" else low.__le__
    is_below = (lambda _: True) if high == "*" else high.__gt__ if parsed["close"] == "}" else high.__ge__
    return lambda item: is_above(item) and is_below(item)


def _sorting(sort: str) -> list[tuple[str, str]]:
    """`field`, `field desc`, several separated by commas or spaces."""
    words = sort.replace(",", " ").split()
    result: list[tuple[str, str]] = []
    for n, word in enumerate(words):
        if word.lower() in ("asc", "desc") and n:
            result[-1] = (words[n - 1], word.lower())
        else:
            result.append((word, "asc"))
    return [(field, order) for field, order in result if field.lower() not in ("relevance", "score", "_score")]


def _with_fields(article: Article, fl: list[str] | None) -> dict[str, Any]:
    if not fl:
        return dict(article)
    names = [(field, alias or field) for field, _, alias in (name.partition(":") for name in fl)]
    return {alias: article[field] for field, alias in names if field in article}


def _facet(urns: Iterable[str], field: str, value: Value) -> list[dict[str, Any]]:
    counts = Counter(item for urn in urns for item in _values(urn, field, value))
    return [{"value": item, "count": count} for item, count in counts.most_common(50)]
