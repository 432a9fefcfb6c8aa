"""Requests, responses and errors in the shape of the WiseFood data API. Used by `app.py`."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

CODES = {
    400: ("InvalidError", "request/invalid"),
    401: ("AuthenticationError", "auth/unauthorized"),
    403: ("AuthorizationError", "auth/forbidden"),
    404: ("NotFoundError", "resource/not_found"),
    422: ("DataError", "request/unprocessable"),
    429: ("RateLimitError", "quota/rate_limited"),
    500: ("InternalError", "server/internal"),
    502: ("BadGatewayError", "upstream/bad_gateway"),
    503: ("ServiceUnavailableError", "upstream/unavailable"),
    504: ("GatewayTimeoutError", "upstream/timeout"),
}
LARGEST_PAGE = 1000
LARGEST_WINDOW = 10_000  # of a search: offset and limit together
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
Long = Annotated[str, StringConstraints(max_length=15_000)]
M = TypeVar("M", bound=BaseModel)


class CatalogProblem(Exception):
    def __init__(self, code: int, detail: str, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.errors = errors


def answer(request: Request, result: Any) -> Response:
    return JSONResponse({"help": str(request.url), "success": True, "result": result})


def refusal(request: Request, problem: CatalogProblem) -> Response:
    title, code = CODES[problem.code]
    error: dict[str, Any] = {"title": title, "detail": str(problem), "code": code}
    if problem.errors is not None:
        error["errors"] = problem.errors
    return JSONResponse({"success": False, "error": error, "help": str(request.url)}, problem.code)


def _unique(tags: list[str] | None) -> list[str] | None:
    if tags is not None and len({tag.lower() for tag in tags}) != len(tags):
        raise ValueError("tags must be unique (case-insensitive)")
    return tags


class _RequestBody(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Credentials(_RequestBody):
    client_id: Text
    client_secret: Text


class PageRequest(_RequestBody):
    limit: int = Field(default=100, ge=1, le=LARGEST_PAGE)
    offset: int = Field(default=0, ge=0)


class Search(_RequestBody):
    """`fq`: filters; `fl`: fields of the results, `field:alias` renames one; `fields`: facets to count."""

    q: str | None = None
    fq: list[str] | None = None
    fl: list[str] | None = None
    limit: int = Field(default=10, ge=1, le=LARGEST_PAGE)
    offset: int = Field(default=0, ge=0)
    sort: str | None = None
    fields: list[str] | None = None


class Patch(_RequestBody):
    """Fields that people edit; results of agents are sent as `Enhancement`."""

    title: Text | None = None
    description: Text | None = None
    abstract: Long | None = None
    content: str | None = None
    authors: list[Text] | None = None
    venue: Text | None = None
    publication_year: str | None = None
    tags: Annotated[list[Text], Field(max_length=50)] | None = None
    keywords: Annotated[list[Text], Field(max_length=250)] | None = None
    category: Text | None = None
    study_type: Text | None = None
    reader_group: Text | None = None
    age_group: Text | None = None
    population_group: Text | None = None
    extras: dict[str, Any] | None = None

    _tags = field_validator("tags")(_unique)


class Enhanced(_RequestBody):
    ai_tags: list[Text] = []
    ai_category: Text | None = None
    ai_key_takeaways: list[Text] = []

    _tags = field_validator("ai_tags")(_unique)


class Enhancement(_RequestBody):
    agent: Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z0-9]+(?:[-_][a-z0-9]+)*$")]
    fields: Enhanced

    @field_validator("fields")
    @classmethod
    def _not_empty(cls, fields: Enhanced) -> Enhanced:
        if not fields.model_fields_set:
            raise ValueError("fields must contain at least one AI enhancement")
        return fields


async def read(request: Request, shape: type[M]) -> M:
    """The body of a request. Raises CatalogProblem."""
    return checked(shape, await request.body(), "body")


def checked(shape: type[M], body: bytes | Mapping[str, Any], where: str) -> M:
    """Raises CatalogProblem, a 422 that names each field."""
    try:
        return shape.model_validate_json(body) if isinstance(body, bytes) else shape.model_validate(dict(body))
    except ValidationError as error:
        errors = [
            {"loc": [where, *detail["loc"]], "msg": detail["msg"].removeprefix("Value error, "), "type": detail["type"]}
            for detail in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise CatalogProblem(422, "Request validation failed", errors) from error
