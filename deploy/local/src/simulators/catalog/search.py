"""What a search of the catalogue finds, in the words that its query string filters have. Pure."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from simulators.catalog.shapes import LARGEST_WINDOW, CatalogProblem, Search

Article = Mapping[str, Any]
Value = Callable[[str, str], Any]  # of an article, by its URN, and a field of it
Condition = Callable[[str], bool]
STORED_ONLY = ("extras",)  # not indexed: no filter finds anything in it
SEARCHED = ("title", "abstract", "description", "content", "venue", "keywords", "tags", "ai_tags", "ai_key_takeaways")
BOUND = r'"[^"]*"|[^\s"\]}]+'
FILTER = re.compile(
    rf'(?P<no>NOT |-)?(?P<field>[\w.]+):(?:(?P<value>"[^"]*"|[^\s"\[{{]+)'
    rf"|(?P<open>[\[{{])(?P<low>{BOUND}) TO (?P<high>{BOUND})(?P<close>[\]}}]))"
)


def search(query: Search, urns: Iterable[str], read: Callable[[str], Article], value: Value) -> dict[str, Any]:
    """`urns` in the order of the list; articles are read only where they must be. Raises Problem."""
    if query.offset + query.limit > LARGEST_WINDOW:
        raise CatalogProblem(400, f"Result window is too large, offset + limit must be at most {LARGEST_WINDOW}")
    conditions = [_filter(text, value) for text in query.fq or ()]
    if query.q and query.q.split():
        conditions.append(_mentions(query.q, value))
    ordered = list(urns)
    for field, order in reversed(_sorting(query.sort or "")):
        ordered = _sorted(ordered, field, order == "desc", value)
    kept = (urn for urn in ordered if all(matches(urn) for matches in conditions))
    found = list(kept if query.fields else islice(kept, LARGEST_WINDOW))
    window = found[query.offset : query.offset + query.limit]
    return {
        "results": [_with_fields(read(urn), query.fl) | {"_score": 1.0} for urn in window],
        "facets": {field: _facet(found, field, value) for field in query.fields or ()},
        "total": min(len(found), LARGEST_WINDOW),  # Elasticsearch counts no further
    }


def _sorted(urns: list[str], field: str, is_falling: bool, value: Value) -> list[str]:
    """Those without the field are last."""
    if field == "urn":
        return sorted(urns, reverse=is_falling)
    values = {urn: _values(urn, field, value) for urn in urns}
    having = sorted((urn for urn in urns if values[urn]), key=lambda urn: values[urn][0], reverse=is_falling)
    return having + [urn for urn in urns if not values[urn]]


def _values(urn: str, field: str, value: Value) -> list[str]:
    if field == "urn":
        return [urn]
    found = None if field in STORED_ONLY else value(urn, field.removesuffix(".keyword"))
    return [str(one) for one in (found if isinstance(found, list) else [found]) if one is not None]


def _mentions(q: str, value: Value) -> Condition:
    """Any of its words."""
    words = q.casefold().split()

    def mentions(urn: str) -> bool:
        text = " ".join(one for field in SEARCHED for one in _values(urn, field, value)).casefold()
        return any(word in text for word in words)

    return mentions


def _filter(text: str, value: Value) -> Condition:
    """`field:value`, `field:"two words"`, `field:*`, `field:[from TO to]`, with `{` or `}` where the bound itself is
    left out, `*` where there is none; with `NOT ` or `-` before it, the others."""
    found = FILTER.fullmatch(text.strip())
    if not found:
        raise CatalogProblem(400, f"Failed to parse query [{text}]")
    field, matches = found["field"], _between(found) if found["value"] is None else _equal(found["value"])
    if found["no"]:
        return lambda urn: not any(map(matches, _values(urn, field, value)))
    return lambda urn: any(map(matches, _values(urn, field, value)))


def _equal(value_text: str) -> Callable[[str], bool]:
    return (lambda _: True) if value_text == "*" else value_text.strip('"').__eq__


def _between(found: re.Match[str]) -> Callable[[str], bool]:
    low, high = found["low"].strip('"'), found["high"].strip('"')
    is_above = (lambda _: True) if low == "*" else low.__lt__ if found["open"] == "{" else low.__le__
    is_below = (lambda _: True) if high == "*" else high.__gt__ if found["close"] == "}" else high.__ge__
    return lambda one: is_above(one) and is_below(one)


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
    names = [(field, alias or field) for field, _, alias in (one.partition(":") for one in fl)]
    return {alias: article[field] for field, alias in names if field in article}


def _facet(found: Iterable[str], field: str, value: Value) -> list[dict[str, Any]]:
    counted = Counter(one for urn in found for one in _values(urn, field, value))
    return [{"value": one, "count": count} for one, count in counted.most_common(50)]
