"""What HTTP promises about reads: HEAD wherever GET is, and 304 for what a client has already."""

import re
from hashlib import blake2b

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import __version__

READS = "/api/v1/"  # probes and metrics have no ETag
AGE = re.compile(rb',"as_of":(?:"([^"]*)"|null),"projection_lag_seconds":([0-9.e-]+|null)}$')


class HeadAsGet:
    """Routes answer HEAD as GET; the server leaves the body out. A stream, which has no end, is ended at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        of_get = {**scope, "method": "GET"}

        async def without_stream(message: Message) -> None:
            is_stream = message.get("more_body", False)
            await send({"type": "http.response.body"} if is_stream else message)
            if is_stream:
                running.cancel()

        try:
            with anyio.CancelScope() as running:
                await self._app(of_get, receive, without_stream)
        finally:
            scope["route"] = of_get.get("route")  # for the telemetry around it


class EntityTags:
    """A weak ETag on each read: the hash of the answer without its age, which differs each time. It saves the transfer,
    not the read. A 304 has the age in headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(READS):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        parts: list[bytes] = []

        async def tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _has_tag(message):
                start = message
            elif start is None:
                await send(message)
            else:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    body = b"".join(parts)
                    await _answer(start, body, Headers(scope=scope).get("if-none-match", ""), send)

        await self._app(scope, receive, tagged)


def _has_tag(start: Message) -> bool:
    """Not errors, and no streams: they must not be held back."""
    return start["status"] == 200 and Headers(raw=start["headers"]).get("content-type") == "application/json"


async def _answer(start: Message, body: bytes, if_none_match: str, send: Send) -> None:
    age = AGE.search(body)
    tag = tag_of(body[: age.start()] if age else body)
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["etag"] = tag
    headers["cache-control"] = "private, no-cache"  # kept, but never used without asking
    status = 200
    if matches(tag, if_none_match):
        status, body = 304, b""
        for name in ("content-length", "content-type"):
            del headers[name]
        if age:
            headers["x-as-of"] = (age[1] or b"").decode()
            headers["x-projection-lag-seconds"] = age[2].decode()
    await send({**start, "status": status, "headers": headers.raw})
    await send({"type": "http.response.body", "body": body})


def tag_of(body: bytes) -> str:
    """Of this version: another one may mean something else by the same answer."""
    return f'W/"{blake2b(body, digest_size=12, key=__version__.encode()).hexdigest()}"'


def matches(tag: str, if_none_match: str) -> bool:
    """Weak comparison: strong tags of the same value match too."""
    opaque = tag.removeprefix("W/")
    return any(one.strip().removeprefix("W/") in {opaque, "*"} for one in if_none_match.split(","))
