"""GET /: the page for people, and its assets. They contain no data and need no key; the page reads by /api/v1."""

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response

from api.http_reads import matches
from api.page.files import Asset, page
from api.problems import ProblemError

router = APIRouter(include_in_schema=False)
IfNoneMatch = Annotated[str, Header()]
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ASK_ALWAYS, KEEP = "no-cache", "public, max-age=31536000, immutable"


@router.get("/")
async def document(if_none_match: IfNoneMatch = "") -> Response:
    """The page. It names its assets with their version, so it is asked for each time."""
    return _answer(page().document, ASK_ALWAYS, if_none_match)


@router.get("/assets/{version}/{name}")
async def asset(version: str, name: str, if_none_match: IfNoneMatch = "") -> Response:
    """A file of the page in this version; a replica has no other."""
    found = page().assets.get(name) if version == page().version else None
    if found is None:
        raise ProblemError(404, "this version of the page has no such file; reload the page")
    return _answer(found, KEEP, if_none_match)


def _answer(asset: Asset, caching: str, if_none_match: str) -> Response:
    headers = SAFE | {"ETag": asset.tag, "Cache-Control": caching}
    if matches(asset.tag, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=headers)
