"""Who may do what: the caller of a request, what it is allowed, and the scope that a route asks for."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from api.problems import ProblemError

Scope = Literal["read", "submit", "operate"]
SCOPES: tuple[Scope, ...] = get_args(Scope)  # a set: none includes another
BODY_BYTES = 2 * 1024 * 1024  # 500 titles of 500 characters, escaped, are 1.5 MB
MOST_BODY_BYTES = 16 * 1024 * 1024  # whatever a key says: a body is held in memory


@dataclass(frozen=True, slots=True)
class Caller:
    """`requests_per_second`: None is without a limit."""

    id: str
    name: str
    scopes: frozenset[str]
    requests_per_second: int | None
    body_bytes: int


LOCAL = Caller("local", "local", frozenset(SCOPES), None, BODY_BYTES)
PROBE = Caller("probe", "probe", frozenset(), None, BODY_BYTES)


def require_scope(scope: Scope) -> Any:
    """What a route depends on to be for callers with this scope only. As a parameter it is the caller:

    `@router.get("/topics", dependencies=[may("read")])`, or `caller: Annotated[Caller, may("submit")]`.
    """
    return Security(_BEARER, scopes=[scope])


class _Bearer(SecurityBase):
    """`authentication.py` has found the caller; here its scopes are held against the route's."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="`topicflow keys create` makes one; on loopback none is needed.")
        self.scheme_name = "API key"

    async def __call__(self, request: Request, needed: SecurityScopes) -> Caller:
        caller: Caller = request.state.caller
        for scope in needed.scopes:
            if scope not in caller.scopes:
                held = ", ".join(sorted(caller.scopes))
                raise ProblemError(403, f"the scope {scope} is missing: this key has {held}")
        return caller


_BEARER = _Bearer()
