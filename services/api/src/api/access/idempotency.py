"""`Idempotency-Key` on a POST: the request runs once; a repeat gets the stored response."""

import re
from hashlib import sha256
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.idempotency_store import IdempotencyStore, IdempotentRequest, StoredResponse
from api.errors import InvalidValue
from shared.db.engine import DatabaseUnreachable

log = structlog.get_logger()
HEADER = b"idempotency-key"
KEY = re.compile(rb"[\x20-\x7e]{1,255}")
DOCUMENTED = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Identifies the request: a repeat within 24 hours gets the same response and has no effect.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


class IdempotencyMiddleware:
    """Only 2xx responses are stored; after any other response the request can be repeated."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (key := _key(scope)) is None:
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        once = IdempotentRequest(scope["state"]["caller"].id, key, _fingerprint(scope, body))
        answers: IdempotencyStore = scope["app"].state.resources.idempotency
        claim = await answers.claim(once)
        if isinstance(claim, str):
            messages = await self._run(scope, _replay_body(body, receive), answers, once, claim)
        else:
            messages = _messages(claim)
        for message in messages:
            await send(message)

    async def _run(
        self, scope: Scope, receive: Receive, answers: IdempotencyStore, once: IdempotentRequest, claim: str
    ) -> list[Message]:
        """Stores the response before any of it is sent."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        try:
            await self._app(scope, receive, keep)
        except Exception:
            await _settle(answers, once, claim, None)
            raise
        answer = _answer(messages)
        await _settle(answers, once, claim, answer if answer.status // 100 == 2 else None)
        return messages


def document(app: FastAPI) -> None:
    """Documents the header on every POST in OpenAPI."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            posts = [methods["post"] for methods in make()["paths"].values() if "post" in methods]
            for post in posts:
                post.setdefault("parameters", []).append(DOCUMENTED)
        return make()

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI's documentation does


def _key(scope: Scope) -> str | None:
    """The header's value. Raises InvalidValue."""
    if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith("/api/v1/"):
        return None
    values = [value for name, value in scope["headers"] if name == HEADER]
    if not values:
        return None
    if len(values) > 1 or not KEY.fullmatch(values[0]):
        raise InvalidValue("Idempotency-Key", "must be one value of 1 to 255 printable ASCII characters")
    return str(values[0].decode("ascii"))


def _fingerprint(scope: Scope, body: bytes) -> str:
    target = f"{scope['method']} {scope['path']}?".encode() + scope["query_string"]
    return sha256(target + b"\n" + body).hexdigest()


async def _read(receive: Receive) -> bytes | None:
    """The body; None if the client disconnected. Raises ProblemError 413."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay_body(body: bytes, receive: Receive) -> Receive:
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return unread.pop() if unread else await receive()

    return replayed


async def _settle(
    answers: IdempotencyStore, once: IdempotentRequest, claim: str, answer: StoredResponse | None
) -> None:
    """The request has run: the client gets its response even if it cannot be stored."""
    try:
        if answer:
            await answers.store(once, claim, answer)
        else:
            await answers.release(once, claim)
    except DatabaseUnreachable as error:
        log.warning("idempotent_response_not_stored", error=str(error))


def _answer(messages: list[Message]) -> StoredResponse:
    start, *rest = messages
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    return StoredResponse(start["status"], headers, b"".join(message.get("body", b"") for message in rest))


def _messages(answer: StoredResponse) -> list[Message]:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"idempotency-replayed", b"true"))
    return [
        {"type": "http.response.start", "status": answer.status, "headers": headers},
        {"type": "http.response.body", "body": answer.body},
    ]
