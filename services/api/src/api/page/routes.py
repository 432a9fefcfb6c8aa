"""GET /: the page for people, and its assets. They contain no data and need no key; the page reads by /api/v1."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.page.files import page
from api.problems import ProblemError

router = APIRouter(include_in_schema=False)
KEEP = "public, max-age=31536000, immutable"


@router.get("/")
async def document(request: Request) -> Response:
    """The page. It names its assets with their version, so it is asked for each time."""
    return page().document.answer(request)


@router.get("/assets/{version}/{name}")
async def asset(version: str, name: str, request: Request) -> Response:
    """A file of the page in this version; a replica has no other."""
    found = page().assets.get(name) if version == page().version else None
    if found is None:
        raise ProblemError(404, "this version of the page has no such file; reload the page")
    return found.answer(request, KEEP)
