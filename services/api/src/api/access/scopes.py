"""Authorization: the scope that a route requires of its caller."""

from typing import Any

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from api.access.callers import Caller, Scope
from api.problems import ProblemError


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
