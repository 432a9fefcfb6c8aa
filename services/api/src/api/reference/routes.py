"""GET /docs: the API reference, which is Swagger UI over our own /openapi.json. All its files come from here."""

from functools import cache
from importlib import resources

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from api.static_files import StaticFile

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


@router.get("/docs")
def reference(request: Request) -> Response:
    return _read(PAGE).answer(request)


@router.get("/docs/{name}")
def reference_file(name: str, request: Request) -> Response:
    if name not in FILES or name == PAGE:
        raise HTTPException(404)
    return _read(name).answer(request)


@cache
def _read(name: str) -> StaticFile:
    package, media_type = FILES[name]
    return StaticFile.of((resources.files(package) / name).read_bytes(), media_type)
