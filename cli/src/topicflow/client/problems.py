"""Turns problem+json responses (RFC 9457) into errors of one clear line each. Used by `client/api.py`."""

import contextlib
from typing import Any

import httpx

from local_processes.plain_text import one_line
from shared.resilience.retry_after import retry_after_seconds
from topicflow.errors import (
    CommandError,
    Failed,
    NotAllowed,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
    Unreachable,
    WrongUse,
)

_SHOWN_ERRORS = 3
_BY_STATUS: dict[int, type[CommandError]] = {
    400: WrongUse,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    410: NotFound,
    413: WrongUse,
    422: WrongUse,
}
_TEMPORARY = frozenset({502, 503, 504})
_OF_A_PROXY = frozenset({404, 410, *range(500, 600)})  # which may answer so while the API behind it is away


def problem_of(response: httpx.Response) -> CommandError:
    """The error for this status, with the whole explanation in one line."""
    problem = _problem(response)
    message = one_line(
        problem.get("detail") or problem.get("title") or f"{response.request.url} answered {response.status_code}"
    )
    if errors := _field_errors(problem, message):
        message = f"{message}: {errors}"
    retry_after = retry_after_seconds(response.headers.get("Retry-After"))
    if response.status_code == 429:
        return TooManyRequests(message, retry_after)
    if response.status_code in _TEMPORARY or (response.status_code == 409 and retry_after is not None):
        return ServiceUnavailable(message, retry_after)
    if response.status_code in _OF_A_PROXY and not problem:
        return Unreachable(message)
    return _BY_STATUS.get(response.status_code, Failed)(message)


def _problem(response: httpx.Response) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        if isinstance(problem := response.json(), dict):
            return problem
    return {}


def _field_errors(problem: dict[str, Any], message: str) -> str:
    """Field errors that the message does not contain already."""
    errors = problem.get("errors")
    if not isinstance(errors, list):
        return ""
    lines = [
        f"{one_line(error.get('field', ''))} {text}"
        for error in errors
        if isinstance(error, dict) and (text := one_line(error.get("message", ""))) not in message
    ]
    more = len(lines) - _SHOWN_ERRORS
    return "; ".join(lines[:_SHOWN_ERRORS]) + (f" and {more} more" if more > 0 else "")
