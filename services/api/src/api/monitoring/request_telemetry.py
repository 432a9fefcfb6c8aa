"""Outermost middleware: request id, metrics by route template, and a trace span per request."""

import time
from uuid import uuid4

import structlog
from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.observability import tracing
from shared.observability.metrics import REQUESTS

log = structlog.get_logger()
BASE = "/api/v1"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestTelemetry:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _Request(scope, send).run(self._app, receive)
        else:
            await self._app(scope, receive, send)


class _Request:
    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._id = uuid4().hex
        self._status = 500
        self._is_answered = False
        self._began = time.perf_counter()
        self._seconds: float | None = None  # of a stream, until it began

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        structlog.contextvars.bind_contextvars(request_id=self._id)  # uvicorn runs each request in its own task
        if not self._scope["path"].startswith(BASE):
            await self._timed(app, receive)
            return
        parent = dict(self._scope["headers"]).get(b"traceparent", b"").decode("latin-1")
        with tracing.span(self._method, SpanKind.SERVER, parent) as span:
            try:
                await self._timed(app, receive)
            finally:
                span.update_name(f"{self._method} {self._route}")
                span.set_attributes(
                    {
                        "http.request.method": self._method,
                        "http.route": self._route,
                        "http.response.status_code": self._status,
                    }
                )
                if self._status >= 500:
                    tracing.fail(span, str(self._status))

    async def _timed(self, app: ASGIApp, receive: Receive) -> None:
        """Drops errors that were logged and answered with 500: uvicorn would log them again, without the request id."""
        try:
            await app(self._scope, receive, self._answer)
        except Exception:
            if not self._is_answered:
                raise
        finally:
            seconds = time.perf_counter() - self._began if self._seconds is None else self._seconds
            REQUESTS.labels(self._method, self._route, self._status).observe(seconds)
            log.debug("request", method=self._method, path=self._scope["path"], status=self._status)

    async def _answer(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self._id.encode())]
            if Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream"):
                self._seconds = time.perf_counter() - self._began
        await self._send(message)
        self._is_answered |= message["type"] == "http.response.body" and not message.get("more_body", False)

    @property
    def _method(self) -> str:
        return self._scope["method"] if self._scope["method"] in METHODS else "other"

    @property
    def _route(self) -> str:
        """The route template. FastAPI's scope has the path relative to its router, without the prefix."""
        template = getattr(self._scope.get("route"), "path", "")
        if template and self._scope["path"].startswith(BASE):
            return BASE + template.removeprefix(BASE)
        return template or "(none)"
