"""What the enricher writes into the catalogue, found by letting it enrich an article and forget it again."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from factories import ASSESSMENT, CLASSIFICATION, TEXT

from frozen import product
from frozen.http_server import serving

URN = "urn:article:coffee-and-sleep"
ARTICLE = {"urn": URN, "title": "Coffee and sleep", "abstract": TEXT, "content": TEXT}
KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
ABOUT = {"id": product.article_id(URN), "attempt": 1, "urn": URN, "submitted_at": datetime.now(UTC)}


def writes() -> dict[str, str]:
    return {
        line: kind
        for story, name in ((_enrich, "enriching"), (_forget, "forgetting"))
        for method, path, body in _requests(story)
        for line, kind in _fields(f"{name}: {method} {path.replace(URN, '{urn}')}", body)
        if method != "GET"
    }


def _requests(story: Any) -> list[tuple[str, str, Any]]:
    seen = []

    def answer(method: str, path: str, body: Any) -> tuple[int, Any]:
        seen.append((method, path, body))
        result = {"access_token": "a-token", "expires_in": 600} if path.endswith("/system/mtm") else ARTICLE
        return 200, {"success": True, "result": result}

    async def tell(url: str) -> None:
        catalog = product.Catalog(url=url, client_id="somebody", client_secret="secret", timeout_seconds=5)
        try:
            await story(catalog)
        finally:
            await catalog.close()

    with serving(answer) as url:
        asyncio.run(tell(url))
    return seen


class _Annotator:
    """Annotations as of a good model, without one."""

    def input_hash(self, article: object) -> str:
        return "a-hash"

    async def annotate(self, article: object, *, paid: object) -> product.Annotated:
        classification = product.Classification.model_validate(CLASSIFICATION, context=TEXT)
        annotation = product.annotation_of(classification, product.Assessment.model_validate(ASSESSMENT))
        return product.Annotated(annotation, "a-model", "a-prompt", "a-hash", simulated=True)


async def _enrich(catalog: product.Catalog) -> None:
    submitted = product.ArticleSubmitted.model_validate(ABOUT | {"submitted_by": "somebody"})
    annotate = product.OnArticleSubmitted(catalog, cast("Any", _Annotator()))
    annotated = await annotate(submitted, product.Run(submitted, "enricher-1"))
    assert isinstance(annotated, product.ArticleAnnotated)
    write = product.OnArticleAnnotated(catalog, cast("Any", None))
    await write(annotated, product.Run(annotated, "enricher-1"))


async def _forget(catalog: product.Catalog) -> None:
    forget = product.ForgetArticle.model_validate(ABOUT)
    await product.OnForgetArticle(catalog)(forget, product.Run(forget, "enricher-1"))


def _fields(name: str, value: Any, joint: str = " ") -> Iterator[tuple[str, str]]:
    """Each with its type; the first field follows a space. `agent`: the writer as shown by the catalogue."""
    yield name, "null" if value is None else KINDS[type(value)]
    if name.endswith(" agent"):
        yield f"{name} = {value}", "a value"
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from _fields(f"{name}{joint}{key}", inner, ".")
    for each in value if isinstance(value, list) else ():
        yield from _fields(f"{name}[]", each, ".")
