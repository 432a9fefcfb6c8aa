"""Who may do what. Without keys only this machine may: no other host's page, no other name for this host, no flood."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, problem

LARGEST_BODY = 2 * 1024 * 1024  # bytes; 500 titles of 500 characters, escaped, are 1.5 MB


class LocalOnly:
    """A page of another origin, or a name that was pointed at loopback, must not be able to spend money here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if not _is_from_here(headers.get(b"host", ""), headers.get(b"origin")):
            await problem(403, "only this machine may use this API, by its loopback address")(scope, receive, send)
            return
        await self._app(scope, receive, send)


class LimitedBody:
    """Stops reading a body that is too large, whatever its Content-Length says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST_BODY:
                raise Problem(413, f"the body is larger than {LARGEST_BODY // 1024 // 1024} MiB")
            return message

        await self._app(scope, limited, send)


def _is_from_here(host: str, origin: str | None) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        is_same_origin = origin is None or urlsplit(origin).netloc == host
        return is_same_origin and (name == "localhost" or ip_address(name).is_loopback)
    except ValueError:
        return False
