"""GET /docs: the API reference, which is Swagger UI over our own /openapi.json. All its files come from here."""

import gzip
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from api.http_reads import matches, tag_of

router = APIRouter(include_in_schema=False)
OURS, SWAGGER_UI = "api.reference", "fastapi_swagger.resources"
PAGE = "page.html"
FILES = {  # the package that each is in, and its media type
    PAGE: (OURS, "text/html"),
    "show_reference.js": (OURS, "text/javascript"),
    "swagger-ui-bundle.js": (SWAGGER_UI, "text/javascript"),
    "swagger-ui.css": (SWAGGER_UI, "text/css"),
    "favicon-32x32.png": (SWAGGER_UI, "image/png"),
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # the icons in swagger-ui.css
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True, slots=True)
class _ReferenceFile:
    body: bytes
    compressed: bytes
    tag: str
    media_type: str


@router.get("/docs")
def reference(request: Request) -> Response:
    return _answer(_read(PAGE), request)


@router.get("/docs/{name}")
def reference_file(name: str, request: Request) -> Response:
    if name not in FILES or name == PAGE:
        raise HTTPException(404)
    return _answer(_read(name), request)


@cache
def _read(name: str) -> _ReferenceFile:
    """Compressed once: it takes too long for every request of somebody without a key."""
    package, media_type = FILES[name]
    body = (resources.files(package) / name).read_bytes()
    return _ReferenceFile(body, gzip.compress(body), tag_of(body), media_type)


def _answer(file: _ReferenceFile, request: Request) -> Response:
    headers = {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "public, no-cache",  # kept, but never used without asking
        "ETag": file.tag,
        "Vary": "Accept-Encoding",
    }
    if matches(file.tag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(file.body, headers=headers, media_type=file.media_type)
    return Response(file.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=file.media_type)
