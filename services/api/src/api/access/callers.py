"""Who calls the API, and what a caller is allowed to do."""

from dataclasses import dataclass
from typing import Literal, get_args

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
PROBE = Caller("probe", "probe", frozenset(), None, BODY_BYTES)  # and readers of open paths
