"""Authentication middleware, first in the chain: an API key or, on loopback, a request from this machine."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.callers import LOCAL, PROBE, Caller
from api.access.key_cache import KeyCache
from api.problems import ProblemError

PROBES = frozenset({"/live", "/ready"})  # need no key and cause no database lookup
# GET of these needs no key either, because they hold no data: the page, the API reference, and the files of both.
OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json"})
OPEN_FOLDERS = ("/assets/", "/docs/")  # whatever begins so
WITH_A_KEY = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True, slots=True)
class AccessRules:
    """`needs_key`: the API listens beyond loopback."""

    keys: KeyCache
    needs_key: bool
    allowed_origins: frozenset[str]


class Authentication:
    """Sets `request.state.caller`, or answers 401, 403 or 503."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            rules: AccessRules = scope["app"].state.resources.access
            caller = await _caller(rules, _needs_no_key(scope["method"], scope["path"]), dict(scope["headers"]))
            scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


def _needs_no_key(method: str, path: str) -> bool:
    """Whether it is for everybody who reaches this address. HEAD has become GET before."""
    return path in PROBES or (method == "GET" and (path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)))


async def _caller(rules: AccessRules, is_open: bool, headers: Mapping[bytes, bytes]) -> Caller:
    """Raises ProblemError 401 or 403, DatabaseUnreachable."""
    authorization = headers.get(b"authorization")
    if authorization is not None and not is_open:
        scheme, _, key = authorization.decode("latin-1").partition(" ")
        caller = await rules.keys.caller(key.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            raise ProblemError(401, "the API key is unknown or revoked", headers=WITH_A_KEY)
        return caller
    if not rules.needs_key:
        _require_local(headers, rules.allowed_origins)
        return LOCAL
    if is_open:
        return PROBE
    raise ProblemError(401, "an API key is required: Authorization: Bearer tf_…", headers=WITH_A_KEY)


def _require_local(headers: Mapping[bytes, bytes], allowed_origins: Collection[str]) -> None:
    """Blocks DNS rebinding and pages of origins that are not allowed: neither may spend money here.

    Raises ProblemError 403.
    """
    host = headers.get(b"host", b"").decode("latin-1")
    if not _is_loopback(host):
        raise ProblemError(403, "without an API key, requests must come from this machine, by its loopback address")
    origin = headers[b"origin"].decode("latin-1") if b"origin" in headers else None
    if origin is not None and origin not in allowed_origins and not _is_page_of(host, origin):
        raise ProblemError(403, f"pages of {origin[:100]!r} may not use this API: see TOPICFLOW_ALLOWED_ORIGINS")


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _is_page_of(host: str, origin: str) -> bool:
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False
