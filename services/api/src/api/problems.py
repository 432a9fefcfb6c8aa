"""Errors as RFC 9457 problem+json: detail, invalid fields, and Retry-After."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.middleware.exceptions import ExceptionMiddleware

from api.errors import Conflict, InvalidValue, NoRoom, NoSuchSubmission, NotProjectedYet, TooManyStreams
from shared.db.engine import DatabaseUnreachable
from shared.errors import BrokerFull, BrokerUnreachable
from shared.observability.metrics import REQUESTS_REFUSED

log = structlog.get_logger()
RETRY_AFTER, RETRY_AFTER_NO_ROOM = 2, 5  # seconds
TEXT = {"type": "string"}
ERROR = {"type": "object", "properties": {"field": TEXT, "message": TEXT}}
SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "errors": {"type": "array", "items": ERROR},
    },
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    "default": {"description": "A problem (RFC 9457)", "content": {"application/problem+json": {"schema": SCHEMA}}}
}


class ProblemError(HTTPException):
    """An HTTPException, because FastAPI reports any other error raised while reading a body as an unparsable body."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)


def problem(
    status: int, detail: str, *, reason: str | None = None, retry_after: int | None = None, **more: object
) -> JSONResponse:
    """`reason`: label of the refusal metric. `retry_after`: seconds; a 503 always names some."""
    REQUESTS_REFUSED.labels(reason or HTTPStatus(status).name.lower()).inc()
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    if retry_after is None and status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after = RETRY_AFTER
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Handles the errors of all routes, and of all middleware added before."""

    def handler(response_of: Callable[[Any], JSONResponse]) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
        async def handle(_: Request, error: Exception) -> JSONResponse:
            return response_of(error)

        return handle

    for type_, response_of in _RESPONSES.items():
        app.add_exception_handler(type_, handler(response_of))
    app.add_middleware(ExceptionMiddleware, handlers=dict(app.exception_handlers))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", path=request.url.path, exc_info=error)
        return problem(500, "internal error; see the log")


def _of_http(error: AnyHTTPException) -> JSONResponse:
    answer = problem(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _of_request(error: RequestValidationError) -> JSONResponse:
    errors = [{"field": _field(value), "message": _message(value)} for value in error.errors()]
    return problem(422, f"{errors[0]['field']}: {errors[0]['message']}", errors=errors[:20])


def _of_broker(error: BrokerUnreachable) -> JSONResponse:
    detail = f"{error}. It is unknown whether everything was stored. Retrying is safe: it is the same submission"
    return problem(503, detail, reason="broker_full" if isinstance(error, BrokerFull) else "broker_unreachable")


def _of_value(error: InvalidValue) -> JSONResponse:
    return problem(422, str(error), errors=[{"field": error.field, "message": error.reason}])


_RESPONSES: dict[type[Exception], Callable[[Any], JSONResponse]] = {
    AnyHTTPException: _of_http,
    RequestValidationError: _of_request,
    InvalidValue: _of_value,
    NoSuchSubmission: lambda error: problem(404, str(error)),
    Conflict: lambda error: problem(409, str(error), retry_after=error.retry_after),
    NoRoom: lambda error: problem(503, str(error), reason="no_room", retry_after=RETRY_AFTER_NO_ROOM),
    TooManyStreams: lambda error: problem(503, str(error), reason="too_many_streams", retry_after=RETRY_AFTER_NO_ROOM),
    NotProjectedYet: lambda error: problem(503, str(error)),
    BrokerUnreachable: _of_broker,
    DatabaseUnreachable: lambda error: problem(503, str(error), reason="database_unreachable"),
}


def _field(error: Mapping[str, Any]) -> str:
    """("body", "topics", 3) → topics[3]; of invalid JSON the location is the position of the error."""
    path = error["loc"][1:] if error["type"] != "json_invalid" else ()
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    name = text.lstrip(".")[:200] or str(error["loc"][0])
    return name.encode("utf-8", "backslashreplace").decode()  # JSON may contain a lone surrogate


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return f"not valid JSON: {error['ctx']['error']} at character {error['loc'][1]}"
    return str(error["msg"]).removeprefix("Value error, ")
