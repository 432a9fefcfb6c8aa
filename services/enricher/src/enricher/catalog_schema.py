"""Parses the catalogue's responses into articles, or into the error to handle. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from shared.errors import CatalogRefusesUs, CatalogUnavailable, Doubtful, Refused
from shared.resilience.retry_after import retry_after_seconds

FIELDS = ("urn", "title", "abstract", "content", "extras", "ai_tags", "ai_category", "ai_key_takeaways")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # neither events nor databases take them
_DOUBTFUL = {408, 500, 504}
_NOTHING_HERE = {404, 405}


class NotTheCatalog(Doubtful):
    """The response is not the catalogue's: another server at its address, or a proxy."""

    def __init__(self, message: str) -> None:
        super().__init__("not_the_catalog", message)


@dataclass(frozen=True, slots=True)
class CatalogArticle:
    """Missing texts are ""."""

    urn: str
    title: str
    abstract: str
    content: str
    extras: dict[str, Any]
    ai_tags: list[str]
    ai_category: str
    ai_key_takeaways: list[str]


@dataclass(frozen=True, slots=True)
class Reply:
    """`body`: the JSON object, {} if it is anything else; `retry_after`: seconds."""

    status: int
    body: dict[str, Any]
    retry_after: float | None

    @classmethod
    def of(cls, status: int, body: bytes, retry_after: str) -> Self:
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            parsed = None
        return cls(status, parsed if isinstance(parsed, dict) else {}, retry_after_seconds(retry_after))

    def result(self, secrets: Iterable[str]) -> Any:
        """The envelope's result. `secrets` are removed from messages. Raises Outage, Doubtful, Refused."""
        status, is_enveloped = self.status, isinstance(self.body.get("success"), bool)
        if status < 300 and self.body.get("success") is True:
            return self.body.get("result")
        message = f"the catalogue answered {status}{self._why(secrets)}"
        if status in {401, 403}:
            raise CatalogRefusesUs(message)
        if status in _DOUBTFUL:
            raise Doubtful(f"catalog_{status}", message)
        if status == 429 or status >= 500:
            raise CatalogUnavailable(message, self.retry_after)
        if status < 400 or (status in _NOTHING_HERE and not is_enveloped):
            raise NotTheCatalog(f"{message}, not in its own format: check DATA_API_URL")
        raise Refused("not_found" if status == 404 else f"catalog_{status}", message)

    def _why(self, secrets: Iterable[str]) -> str:
        error = self.body.get("error")
        error = error if isinstance(error, dict) else self.body
        detail = error.get("detail")
        reasons = [*_named(error.get("errors")), *_named(detail), *([detail] if isinstance(detail, str) else [])]
        text = _text("; ".join(reasons))
        for secret in filter(None, secrets):
            text = text.replace(secret, "…")
        return f": {' '.join(text.split())[:300]}" if text else ""


def _named(errors: object) -> list[str]:
    """`[{loc, msg}]` as `field: message`."""
    found = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    return [f"{_place(one.get('loc'))}: {one.get('msg', 'invalid')}" for one in found[:5]]


def _place(loc: object) -> str:
    return ".".join(map(str, loc)) if isinstance(loc, list) else str(loc)


def article(result: Any, urn: str) -> CatalogArticle:
    """Raises Refused."""
    if not isinstance(result, dict):
        raise Refused("unreadable_article", f"the catalogue's response for {urn} is not a JSON object")
    extras = result.get("extras")
    return CatalogArticle(
        urn=urn,
        title=_text(result.get("title")),
        abstract=_text(result.get("abstract")),
        content=_text(result.get("content")),
        extras=extras if isinstance(extras, dict) else {},
        ai_tags=_strings(result.get("ai_tags")),
        ai_category=_text(result.get("ai_category")),
        ai_key_takeaways=_strings(result.get("ai_key_takeaways")),
    )


def articles(result: Any) -> list[CatalogArticle]:
    """The results of a search, without those that have no URN. Raises Refused."""
    found = result.get("results") if isinstance(result, dict) else None
    if not isinstance(found, list):
        raise Refused("unreadable_page", "the catalogue's search response has no list of results")
    return [article(one, one["urn"]) for one in found if isinstance(one, Mapping) and isinstance(one.get("urn"), str)]


def urns(result: Any) -> list[str]:
    """Raises Refused."""
    if not isinstance(result, list):
        raise Refused("unreadable_page", "the catalogue's list response is not a JSON array")
    return _strings(result)


def _text(value: object) -> str:
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else ""


def _strings(value: object) -> list[str]:
    return [_text(one) for one in value if isinstance(one, str)] if isinstance(value, list) else []
