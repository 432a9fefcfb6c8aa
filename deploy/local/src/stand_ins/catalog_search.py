"""What a search of the catalogue finds, in the words that its query string filters have. Pure."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from stand_ins.catalog_shapes import LARGEST_WINDOW, Problem, Search

Article = Mapping[str, Any]
Wanted = Callable[[Article], bool]
STORED_ONLY = ("extras",)  # not indexed: no filter finds anything in it
SEARCHED = ("title", "abstract", "description", "content", "venue", "keywords", "tags", "ai_tags", "ai_key_takeaways")
FILTER = re.compile(r'(?P<no>NOT |-)?(?P<field>[\w.]+):(?P<value>"[^"]*"|\[\S+ TO \S+\]|[^\s"\[]+)')


def search(asked: Search, urns: Iterable[str], read: Callable[[str], Article]) -> dict[str, Any]:
    """`urns` in the order of the list; articles are read only where they must be. Raises Problem."""
    if asked.offset + asked.limit > LARGEST_WINDOW:
        raise Problem(400, f"Result window is too large, offset + limit must be at most {LARGEST_WINDOW}")
    wanted = [_filter(text) for text in asked.fq or ()]
    if asked.q and asked.q.split():
        wanted.append(_mentions(asked.q))
    found = [urn for urn in urns if not wanted or _is(read(urn), wanted)]
    for field, order in reversed(_sorting(asked.sort or "")):
        found = _sorted(found, field, order == "desc", read)
    window = found[asked.offset : asked.offset + asked.limit]
    return {
        "results": [_with_fields(read(urn), asked.fl) | {"_score": 1.0} for urn in window],
        "facets": {field: _facet(map(read, found), field) for field in asked.fields or ()},
        "total": min(len(found), LARGEST_WINDOW),  # Elasticsearch counts no further
    }


def _is(article: Article, wanted: Iterable[Wanted]) -> bool:
    return all(is_wanted(article) for is_wanted in wanted)


def _sorted(urns: Sequence[str], field: str, is_falling: bool, read: Callable[[str], Article]) -> list[str]:
    """Those without the field are last."""
    values = {urn: [urn] if field == "urn" else _values(read(urn), field) for urn in urns}
    having = sorted((urn for urn in urns if values[urn]), key=lambda urn: values[urn][0], reverse=is_falling)
    return having + [urn for urn in urns if not values[urn]]


def _values(article: Article, field: str) -> list[str]:
    value = None if field in STORED_ONLY else article.get(field.removesuffix(".keyword"))
    return [str(one) for one in (value if isinstance(value, list) else [value]) if one is not None]


def _mentions(q: str) -> Wanted:
    """Any of its words."""
    words = q.casefold().split()

    def mentions(article: Article) -> bool:
        text = " ".join(value for field in SEARCHED for value in _values(article, field)).casefold()
        return any(word in text for word in words)

    return mentions


def _filter(text: str) -> Wanted:
    """`field:value`, `field:"two words"`, `field:*`, `field:[from TO to]`; with `NOT ` or `-` before it, the others."""
    found = FILTER.fullmatch(text.strip())
    if not found:
        raise Problem(400, f"Failed to parse query [{text}]")
    field, value, wanted = found["field"], found["value"].strip('"'), not found["no"]

    def is_in(one: str) -> bool:
        if value.startswith("["):
            low, high = value[1:-1].split(" TO ")
            return (low == "*" or low <= one) and (high == "*" or one <= high)
        return value in ("*", one)

    return lambda article: any(map(is_in, _values(article, field))) is wanted


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


def _facet(found: Iterable[Article], field: str) -> list[dict[str, Any]]:
    counted = Counter(value for article in found for value in _values(article, field))
    return [{"value": value, "count": count} for value, count in counted.most_common(50)]
