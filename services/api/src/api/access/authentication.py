"""Who calls: the key that a request carries, or, on loopback, this machine. Every request passes here first."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.key_cache import KeyCache
from api.access.scopes import LOCAL, PROBE, Caller
from api.problems import ProblemError

PROBES = frozenset({"/live", "/ready"})  # need no key, and the database is not asked about one
WITH_A_KEY = {"WWW-Authenticate": "Bearer"}


class Authentication:
    """Puts the Caller into the request's state, or answers 401, 403 or 503."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            context, headers = scope["app"].state.context, dict(scope["headers"])
            caller = await _caller(context.known_keys, context.needs_key, scope["path"], headers)
            scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


async def _caller(known_keys: KeyCache, needs_key: bool, path: str, headers: Mapping[bytes, bytes]) -> Caller:
    """Raises Problem 401 or 403, and DatabaseUnreachable."""
    given = headers.get(b"authorization")
    if given is not None and path not in PROBES:
        scheme, _, key = given.decode("latin-1").partition(" ")
        caller = await known_keys.caller(key.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            raise ProblemError(401, "this API key is not known or was revoked", headers=WITH_A_KEY)
        return caller
    if not needs_key:
        if not _is_from_here(headers):
            raise ProblemError(403, "without an API key only this machine may use this API, by its loopback address")
        return LOCAL
    if path in PROBES:
        return PROBE
    raise ProblemError(401, "an API key is needed: Authorization: Bearer tf_…", headers=WITH_A_KEY)


def _is_from_here(headers: Mapping[bytes, bytes]) -> bool:
    """A page of another origin, or a name that was pointed at loopback, must not be able to spend money here."""
    host, origin = headers.get(b"host", b"").decode("latin-1"), headers.get(b"origin")
    try:
        name = urlsplit(f"//{host}").hostname or ""
        is_same_origin = origin is None or urlsplit(origin.decode("latin-1")).netloc == host
        return is_same_origin and (name == "localhost" or ip_address(name).is_loopback)
    except ValueError:
        return False
