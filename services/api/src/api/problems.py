"""Our errors as RFC 9457 problem+json: what went wrong, in which field, and when to come back."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.db.engine import DatabaseUnreachable
from shared.errors import BrokerUnreachable

log = structlog.get_logger()
RETRY_AFTER = 2  # seconds


class Problem(Exception):
    def __init__(self, status: int, detail: str, **more: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


def problem(status: int, detail: str, **more: object) -> JSONResponse:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    headers = {"Retry-After": str(RETRY_AFTER)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Every error of every route goes through here."""

    @app.exception_handler(Problem)
    async def ours(_: Request, error: Problem) -> JSONResponse:
        return problem(error.status, error.detail, **error.more)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [{"field": _field(found["loc"]), "message": _message(found)} for found in error.errors()]
        return problem(422, f"{errors[0]['field']}: {errors[0]['message']}", errors=errors[:20])

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail))

    @app.exception_handler(BrokerUnreachable)
    async def broker(_: Request, error: BrokerUnreachable) -> JSONResponse:
        detail = f"{error}. It is not known whether all was stored: sending it again is the same submission"
        return problem(503, detail)

    @app.exception_handler(DatabaseUnreachable)
    async def database(_: Request, error: DatabaseUnreachable) -> JSONResponse:
        return problem(503, str(error))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        log.error("a request ended in a bug", path=request.url.path, exc_info=error)
        return problem(500, "an error of ours; the log has it")


def _field(location: tuple[str | int, ...]) -> str:
    """("body", "topics", 3) → topics[3]"""
    path = [part for part in location if part not in {"body", "query", "path", "header"}]
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "body"


def _message(found: dict[str, object]) -> str:
    if found["type"] == "json_invalid":
        return f"not valid JSON: {(found.get('ctx') or {}).get('error', '')}"  # type: ignore[attr-defined]
    return str(found["msg"]).removeprefix("Value error, ")
