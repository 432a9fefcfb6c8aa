"""Authorization: the caller of a request, its scopes, and the scope a route requires."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from api.problems import ProblemError

Scope = Literal["read", "submit", "operate"]
SCOPES: tuple[Scope, ...] = get_args(Scope)  # independent: none includes another
BODY_BYTES = 2 * 1024 * 1024  # 500 titles of 500 characters, escaped, are 1.5 MB
MOST_BODY_BYTES = 16 * 1024 * 1024  # upper bound for every key: a body is held in memory


@dataclass(frozen=True, slots=True)
class Caller:
    """`requests_per_second`: None for no limit."""

    id: str
    name: str
    scopes: frozenset[str]
    requests_per_second: int | None
    body_bytes: int


LOCAL = Caller("local", "local", frozenset(SCOPES), None, BODY_BYTES)
PROBE = Caller("probe", "probe", frozenset(), None, BODY_BYTES)


def require_scope(scope: Scope) -> Any:
    """A dependency that restricts a route to callers with this scope. As a parameter, its value is the caller:

    `@router.get("/topics", dependencies=[require_scope("read")])`, or
    `caller: Annotated[Caller, require_scope("submit")]`.
    """
    return Security(_BEARER, scopes=[scope])


class _Bearer(SecurityBase):
    """Checks the scopes of the caller that `authentication.py` identified."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="Create a key with `topicflow keys create`. Not required on loopback.")
        self.scheme_name = "API key"

    async def __call__(self, request: Request, needed: SecurityScopes) -> Caller:
        caller: Caller = request.state.caller
        for scope in needed.scopes:
            if scope not in caller.scopes:
                held = ", ".join(sorted(caller.scopes))
                raise ProblemError(403, f"this API key lacks the scope {scope}; it has {held}")
        return caller


_BEARER = _Bearer()
